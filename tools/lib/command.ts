import { basename } from "node:path";
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { main, UserError } from "./log.ts";
import { withStackLock } from "./stackLock.ts";

export interface CommandSpec<Options extends ParseArgsOptionsConfig> {
  readonly help: string;
  readonly options: Options;
  readonly positionals?: boolean;
  /**
   * The stack that the command changes with these options: its lock is held for the whole command. Undefined where it
   * changes none.
   */
  readonly changes: "nothing" | ((values: Values<Options>) => string | undefined);
}

type Values<Options extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<ParseConfig<Options>>>["values"];

interface ParseConfig<Options extends ParseArgsOptionsConfig> {
  readonly options: Options;
  readonly strict: true;
  readonly allowPositionals: true;
}

/** Exit code of a wrong command line (sysexits.h, EX_USAGE). */
export const USAGE = 64;

/** The frame of every command: reads the command line, answers `--help`, and turns faults into one line and an exit code. */
export function command<const Options extends ParseArgsOptionsConfig>(
  spec: CommandSpec<Options>,
  run: (values: Values<Options>, positionals: readonly string[]) => Promise<number | undefined>,
): Promise<void> {
  return main(async () => {
    if (process.argv.slice(2).some((arg) => arg === "--help" || arg === "-h")) {
      process.stdout.write(`${spec.help}\n`);
      return 0;
    }
    let parsed: ReturnType<typeof parseArgs<ParseConfig<Options>>>;
    try {
      // A script may give it to every command, also to one that asks nothing.
      const options = { yes: { type: "boolean" } as const, ...spec.options };
      parsed = parseArgs<ParseConfig<Options>>({ options, strict: true, allowPositionals: true });
      const [unexpected] = parsed.positionals;
      if (unexpected !== undefined && spec.positionals !== true)
        throw new Error(`"${unexpected}" is not expected here`);
    } catch (error) {
      throw new UserError(`${error instanceof Error ? error.message : error}\n\n${spec.help}`, USAGE);
    }
    const { values, positionals } = parsed;
    const stack = spec.changes === "nothing" ? undefined : spec.changes(values);
    if (stack === undefined) return run(values, positionals);
    return withStackLock(stack, basename(process.argv[1] ?? "", ".ts"), () => run(values, positionals));
  });
}
