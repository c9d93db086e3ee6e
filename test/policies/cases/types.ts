import type { StackSubject, Subject } from "../../../policies/lib/rule.ts";

/** A case by what it shows. A list is a whole stack. */
export type Cases = Readonly<Record<string, Subject | readonly StackSubject[]>>;

export interface RuleCases {
  readonly pass: Cases;
  readonly fail: Cases;
}
