/** `critical` wakes somebody, `warning` is for the working day, `none` is a sign of life. */
export type Severity = "critical" | "warning" | "none";

/** One alert: what is wrong, how long it must have been so, and what its reader is told. */
export interface Alert {
  /** Also the name of its page in docs/runbooks. */
  readonly name: string;
  /** PromQL; it fires for each series of the answer. */
  readonly expr: string;
  /** How long the expression must hold, in Prometheus's form. */
  readonly for: string;
  readonly severity: Severity;
  /** Whose trouble it is. A critical alert silences warnings of the same service, so every alert names one. */
  readonly service: string;
  /**
   * What of the service it is about. A critical alert silences only the warnings of its own subject: a breached leverage
   * must not hide a loss that nears its limit. Without one it is about the service as a whole.
   */
  readonly subject?: string;
  /** One line, for a telephone's screen. */
  readonly summary: string;
  /** What it means for the one who reads it, in a sentence. */
  readonly description: string;
  /** The part that must run for it to make sense; always rendered without one. */
  readonly needs?: OptionalPart;
}

/** Parts that a stack may lack. */
export type OptionalPart = "backup" | "host";

/** The series' own job: targets are named after their service. */
export const JOB = "{{ $labels.job }}";

/** A group of the rules file. */
export interface AlertGroup {
  readonly name: string;
  readonly alerts: readonly Alert[];
}

/** A name that is computed once and used by many expressions. */
export interface Recording {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export const MINUTE = 60;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
