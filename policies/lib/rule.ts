import type { Props } from "./value.ts";

/** What a rule is judged on: a resource as the program declares it. */
export interface Subject {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  readonly props: Props;
  readonly protect: boolean;
}

/** A resource of the whole stack, with what it depends on. */
export interface StackSubject extends Subject {
  readonly dependencies: readonly StackSubject[];
  readonly propertyDependencies: Readonly<Record<string, readonly StackSubject[]>>;
}

/** One fault. It never carries the value of a secret. */
export interface Finding {
  /** The property, as the program writes it: `mounts[2].source`. */
  readonly key: string;
  /** What is wrong with it; follows the key in a sentence. */
  readonly problem: string;
  /** How to fix this one, if the rule's own advice is too general. */
  readonly fix?: string;
}

export interface StackFinding extends Finding {
  readonly subject: StackSubject;
}

export type Level = "mandatory" | "advisory" | "disabled";

interface RuleFacts {
  readonly name: string;
  /** One line: what the rule demands. */
  readonly title: string;
  readonly level: Level;
  readonly severity: "low" | "medium" | "high" | "critical";
  /** What goes wrong without it. */
  readonly why: string;
  /** How a violation is fixed, as an order: "drop ALL capabilities". */
  readonly fix: string;
}

/** Judges one resource by what the program declares, before it is created. */
export interface ResourceRule extends RuleFacts {
  /** Pulumi type tokens; `every` for all resources. */
  readonly types: readonly string[] | "every";
  readonly check: (subject: Subject) => Iterable<Finding> | Promise<Iterable<Finding>>;
}

/** Judges the stack as a whole, with the final values of its resources. */
export interface StackRule extends RuleFacts {
  readonly checkStack: (subjects: readonly StackSubject[]) => Iterable<StackFinding>;
}

export type Rule = ResourceRule | StackRule;

export function isStackRule(rule: Rule): rule is StackRule {
  return "checkStack" in rule;
}

/** `container "redis": memory is not limited; set memory in MiB.` */
export function message(rule: Rule, subject: Pick<Subject, "type" | "name">, finding: Finding): string {
  const kind = subject.type.split(":").at(-1) ?? subject.type;
  return `${kind} "${subject.name}": ${finding.key} ${finding.problem}; ${finding.fix ?? rule.fix}.`;
}
