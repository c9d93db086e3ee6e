import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { main, UserError } from "./log.ts";

export interface CommandSpec<Options extends ParseArgsOptionsConfig> {
  readonly help: string;
  readonly options: Options;
  readonly positionals?: boolean;
}

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
  run: (
    values: ReturnType<typeof parseArgs<ParseConfig<Options>>>["values"],
    positionals: readonly string[],
  ) => Promise<number | undefined>,
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
    return run(parsed.values, parsed.positionals);
  });
}
