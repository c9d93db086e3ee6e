/** What went wrong, for a line of a log. */
export const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Writes lines of a workload's log. */
export const logger =
  (service: string) =>
  (level: "info" | "warning" | "error", message: string, fields: object = {}): void => {
    const entry = { time: new Date().toISOString(), level, service, message, ...fields };
    process.stdout.write(`${JSON.stringify(entry)}\n`);
  };
