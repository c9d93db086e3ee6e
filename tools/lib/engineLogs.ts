import { UserError } from "./log.ts";

/** Set where somebody wants the engine's debugging output all the same. */
const ALLOWED = "AUTOLLM_SECRETS_IN_LOGS";

/**
 * Global options of Pulumi's whose output holds the values of properties, secret ones too. Seen with 3.270 at -v=9, where the
 * events that --debug prints were among the lines; a trace holds what passes between engine and program, too.
 */
const TELLING = [/^-v/, /^--verbose\b/, /^-d$/, /^--debug\b/, /^--tracing\b/];

/**
 * Refuses options by which the engine writes secrets in plain text: its debugging output does not know what is secret.
 * @throws UserError with the way to have it all the same
 */
export function refuseTellingLogs(args: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const end = args.indexOf("--");
  const option = (end === -1 ? args : args.slice(0, end)).find((arg) => TELLING.some((each) => each.test(arg)));
  if (option === undefined || (env[ALLOWED] ?? "") !== "") return;
  throw new UserError(
    `${option} makes the engine write every secret in plain text into its output; where you want that all the same, set ${ALLOWED}=yes, and destroy the output afterwards`,
  );
}
