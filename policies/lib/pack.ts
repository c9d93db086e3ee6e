import type {
  Policies,
  PolicyResource,
  ReportViolation,
  ResourceValidationPolicy,
  StackValidationPolicy,
} from "@pulumi/policy";
import { behindProxy } from "./decodeOnce.ts";
import { plainProps } from "./plain.ts";
import {
  isStackRule,
  message,
  type ResourceRule,
  type Rule,
  type StackRule,
  type StackSubject,
  type Subject,
} from "./rule.ts";

/** The rules in the form of Pulumi's policy SDK. */
export function toPolicies(rules: readonly Rule[]): Policies {
  return rules.map((rule) => (isStackRule(rule) ? stackPolicy(rule) : resourcePolicy(rule)));
}

function facts(rule: Rule) {
  return {
    name: rule.name,
    description: rule.title,
    enforcementLevel: rule.level,
    severity: rule.severity,
    remediationSteps: rule.fix,
  };
}

function resourcePolicy(rule: ResourceRule): ResourceValidationPolicy {
  const { types } = rule;
  const validate = async (args: Parameters<Validation>[0], report: ReportViolation) => {
    if (types !== "every" && !types.includes(args.type)) return;
    for (const finding of await rule.check(await subjectOf(args))) report(message(rule, args, finding));
  };
  return { ...facts(rule), validateResource: validate };
}

type Validation = Extract<ResourceValidationPolicy["validateResource"], (...args: never) => unknown>;

function stackPolicy(rule: StackRule): StackValidationPolicy {
  return {
    ...facts(rule),
    validateStack: async ({ resources }, report) => {
      for (const finding of rule.checkStack(await stackSubjects(resources))) {
        report(message(rule, finding.subject, finding), finding.subject.urn);
      }
    },
  };
}

type Resource = Pick<PolicyResource, "type" | "name" | "urn" | "props" | "opts">;

/** The resources that rules have been asked about, by their decoded properties: each is made plain once, not once per rule. */
const subjects = new WeakMap<object, Promise<Subject>>();

function subjectOf(resource: Resource): Promise<Subject> {
  const key = behindProxy(resource.props);
  const known = key === undefined ? undefined : subjects.get(key);
  if (known !== undefined) return known;
  const subject = plainSubject(resource);
  if (key !== undefined) subjects.set(key, subject);
  return subject;
}

async function plainSubject({ type, name, urn, props, opts }: Resource): Promise<Subject> {
  return { type, name, urn, props: await plainProps(props), protect: opts.protect };
}

async function stackSubjects(resources: readonly PolicyResource[]): Promise<readonly StackSubject[]> {
  const byUrn = new Map<string, StackSubject & { dependencies: StackSubject[] }>();
  for (const resource of resources) {
    byUrn.set(resource.urn, { ...(await subjectOf(resource)), dependencies: [], propertyDependencies: {} });
  }
  const found = (list: readonly PolicyResource[]) => list.flatMap(({ urn }) => byUrn.get(urn) ?? []);
  for (const resource of resources) {
    const subject = byUrn.get(resource.urn);
    if (subject === undefined) continue;
    subject.dependencies.push(...found(resource.dependencies));
    Object.assign(
      subject.propertyDependencies,
      Object.fromEntries(Object.entries(resource.propertyDependencies).map(([key, list]) => [key, found(list)])),
    );
  }
  return [...byUrn.values()];
}
