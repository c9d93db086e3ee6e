/** `critical` pages a person, `warning` is for the working day, `none` is a heartbeat. */
export type Severity = "critical" | "warning" | "none";

/** One alert: what is wrong, for how long, and the text for its reader. */
export interface Alert {
  /** Also the name of its page in docs/runbooks. */
  readonly name: string;
  /** PromQL; it fires for each series of the answer. */
  readonly expr: string;
  /** How long the expression must hold, in Prometheus's form. */
  readonly for: string;
  readonly severity: Severity;
  /** The service that it concerns. A critical alert silences warnings of the same service, so every alert names one. */
  readonly service: string;
  /**
   * The aspect of the service that it concerns. A critical alert silences only the warnings of its own subject: exceeded leverage
   * must not hide a loss that approaches its limit. Without one it concerns the service as a whole.
   */
  readonly subject?: string;
  /** One line, for a phone's screen. */
  readonly summary: string;
  /** What it means, in a sentence. */
  readonly description: string;
  /** The component that must run for it to make sense; without one it is always rendered. */
  readonly needs?: OptionalPart;
}

/** Components that a stack may lack. */
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
