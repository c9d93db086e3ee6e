import { isStackRule, message, type Rule, type StackSubject, type Subject } from "../../policies/lib/rule.ts";
import type { Props } from "../../policies/lib/value.ts";
import { rules } from "../../policies/rules/index.ts";
import type { Recorded } from "../unit/lib/mocks.ts";

/** A recorded resource as the engine shows it to a rule before it is made. */
export const declared = ({ type, name, urn, inputs, protect }: Recorded): Subject => ({
  type,
  name,
  urn,
  props: inputs as Props,
  protect,
});

/** The stack's resources as the engine shows them at the end. */
export function became(resources: readonly Recorded[]): readonly StackSubject[] {
  return resources.map((resource) => ({
    ...declared(resource),
    // Only the inputs are free of the wire's wrapping of secrets.
    props: { ...resource.outputs, ...resource.inputs } as Props,
    dependencies: [],
    propertyDependencies: {},
  }));
}

/** What one rule says of everything that a run registered. */
export async function judgement(rule: Rule, resources: readonly Recorded[]): Promise<readonly string[]> {
  if (isStackRule(rule))
    return [...rule.checkStack(became(resources))].map((finding) => message(rule, finding.subject, finding));
  const judged = resources.filter(({ type }) => rule.types === "every" || rule.types.includes(type)).map(declared);
  const found = judged.map(async (subject) =>
    [...(await rule.check(subject))].map((fault) => message(rule, subject, fault)),
  );
  return (await Promise.all(found)).flat();
}

/** All that the mandatory rules say of everything that a run registered. */
export async function verdict(resources: readonly Recorded[]): Promise<readonly string[]> {
  const mandatory = rules.filter(({ level }) => level === "mandatory");
  return (await Promise.all(mandatory.map((rule) => judgement(rule, resources)))).flat();
}
