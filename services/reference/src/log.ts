import { trace } from "@opentelemetry/api";

const levels = ["debug", "info", "warning", "error"] as const;
export type Level = (typeof levels)[number];

export type Fields = Readonly<Record<string, unknown>>;

/** JSON lines on stdout, each with the trace that it belongs to. */
export class Log {
  readonly #service: string;
  readonly #threshold: number;
  readonly #write: (line: string) => void;

  constructor(service: string, level: string, write: (line: string) => void = (line) => process.stdout.write(line)) {
    this.#service = service;
    const threshold = (levels as readonly string[]).indexOf(level.toLowerCase());
    this.#threshold = threshold === -1 ? levels.indexOf("info") : threshold;
    this.#write = write;
  }

  debug(message: string, fields?: Fields): void {
    this.#line("debug", message, fields);
  }
  info(message: string, fields?: Fields): void {
    this.#line("info", message, fields);
  }
  warning(message: string, fields?: Fields): void {
    this.#line("warning", message, fields);
  }
  error(message: string, fields?: Fields): void {
    this.#line("error", message, fields);
  }

  #line(level: Level, message: string, fields: Fields = {}): void {
    if (levels.indexOf(level) < this.#threshold) return;
    const span = trace.getActiveSpan()?.spanContext();
    const ids = span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
    const line = { time: new Date().toISOString(), level, service: this.#service, message, ...ids, ...fields };
    this.#write(`${JSON.stringify(line)}\n`);
  }
}

/** What an unknown thrown value says, without its stack. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node wraps the failures of several addresses in one error with an empty message.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(reason).join("; ");
  return error.message === "" ? error.name : error.message;
}
