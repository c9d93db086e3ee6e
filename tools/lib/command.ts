import { basename } from "node:path";
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { main, UserError } from "./log.ts";
import { withStackLock } from "./stackLock.ts";

export interface CommandSpec<Options extends ParseArgsOptionsConfig> {
  readonly help: string;
  readonly options: Options;
  readonly positionals?: boolean;
  /** Whether everything from the first word on that is none of the options is another program's, and handed on as it stands. */
  readonly handsOn?: boolean;
  /**
   * The stack that the command changes with these options: its lock is held for the whole command. Undefined where it
   * changes none.
   */
  readonly changes: "nothing" | ((values: Values<Options>) => string | undefined);
}

type Values<Options extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<ParseConfig<Options>>>["values"];

interface ParseConfig<Options extends ParseArgsOptionsConfig> {
  readonly args?: string[];
  readonly options: Options;
  readonly strict: true;
  readonly allowPositionals: true;
}

/** Exit code of a wrong command line (sysexits.h, EX_USAGE). */
export const USAGE = 64;

/** A command line in its own options and what is handed on; `--` ends the options. */
export function split(
  words: readonly string[],
  options: ParseArgsOptionsConfig,
): readonly [own: string[], handedOn: string[]] {
  let at = 0;
  for (;;) {
    const [, name = "", value] = /^--([a-z][a-z-]*)(=.*)?$/s.exec(words[at] ?? "") ?? [];
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) break;
    at += option.type === "string" && value === undefined ? 2 : 1;
  }
  return [words.slice(0, at), words.slice(words[at] === "--" ? at + 1 : at)];
}

/** The frame of every command: reads the command line, answers `--help`, and turns faults into one line and an exit code. */
export function command<const Options extends ParseArgsOptionsConfig>(
  spec: CommandSpec<Options>,
  run: (values: Values<Options>, positionals: readonly string[]) => Promise<number | undefined>,
): Promise<void> {
  return main(async () => {
    // A script may give `--yes` to every command, also to one that asks nothing.
    const options = { yes: { type: "boolean" } as const, ...spec.options };
    const words = process.argv.slice(2);
    const asked = words.slice(0, spec.handsOn === true ? 1 : undefined);
    const [args, handedOn] = spec.handsOn === true ? split(words, options) : [words, undefined];
    if (asked.some((arg) => arg === "--help" || arg === "-h")) {
      process.stdout.write(`${spec.help}\n`);
      return 0;
    }
    let parsed: ReturnType<typeof parseArgs<ParseConfig<Options>>>;
    try {
      parsed = parseArgs<ParseConfig<Options>>({ args: [...args], options, strict: true, allowPositionals: true });
      const [unexpected] = parsed.positionals;
      if (unexpected !== undefined && spec.positionals !== true)
        throw new Error(`"${unexpected}" is not expected here`);
    } catch (error) {
      throw new UserError(`${error instanceof Error ? error.message : error}\n\n${spec.help}`, USAGE);
    }
    const { values } = parsed;
    const positionals = handedOn ?? parsed.positionals;
    const stack = spec.changes === "nothing" ? undefined : spec.changes(values);
    if (stack === undefined) return run(values, positionals);
    return withStackLock(stack, basename(process.argv[1] ?? "", ".ts"), () => run(values, positionals));
  });
}
