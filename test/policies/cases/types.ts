import type { StackSubject, Subject } from "../../../policies/lib/rule.ts";

/** A case by what it shows. A list is a whole stack. */
export type Cases = Readonly<Record<string, Subject | readonly StackSubject[]>>;

export interface RuleCases {
  /** The stack's config while the cases are judged; default none. */
  readonly config?: Readonly<Record<"pass" | "fail", Readonly<Record<string, string>>>>;
  readonly pass: Cases;
  readonly fail: Cases;
}
