import { type ParseArgsOptionDescriptor, parseArgs } from "node:util";
import { USAGE } from "./exitCodes.ts";
import { main, say, UserError } from "./log.ts";
import { withStackLock } from "./stackLock.ts";
import { filled, paragraphs, rows } from "./text.ts";

/** An option of a command: what the parser, the help and the shells' completion know of it. */
export interface Option extends ParseArgsOptionDescriptor {
  /** What its value is called. Of a text alone. */
  readonly value?: string;
  /** The values that it takes, where they are known. */
  readonly choices?: readonly string[];
  /** What it is for. */
  readonly says: string;
}

export { DIFFERS, USAGE } from "./exitCodes.ts";

export type Options = Readonly<Record<string, Option>>;

export interface CommandSpec<Own extends Options> {
  /** The words that it takes, as its usage shows them, such as `NAME... | --due`. Options that they do not name follow in brackets. */
  readonly usage?: string;
  /** What it does, in paragraphs; a line that is indented stays as it is. */
  readonly about: string;
  /** What the words of the usage stand for. */
  readonly words?: Readonly<Record<string, string>>;
  /** The values of its first word, where they are known. */
  readonly choices?: readonly string[];
  /** Whether it takes words besides its options. */
  readonly positionals?: boolean;
  /**
   * What belongs to another program, and is handed on as it stands: `rest`, from the first word on that is none of the options;
   * `all`, `--help` included.
   */
  readonly handsOn?: "rest" | "all";
  readonly options: Own;
  /** When it ends with 2: "something differs". */
  readonly differs?: string;
  /**
   * The stack that the command changes with these options: its lock is held for the whole command. Undefined where it
   * changes none.
   */
  readonly changes: "nothing" | ((values: Values<Own>) => string | undefined);
}

type Values<Own extends Options> = ReturnType<typeof parseArgs<ParseConfig<Own>>>["values"];

interface ParseConfig<Own extends Options> {
  readonly args?: string[];
  readonly options: Own;
  readonly strict: true;
  readonly allowPositionals: true;
}

/** A command, whatever its options are. */
export interface Command {
  readonly options: Options;
  readonly choices: readonly string[];
  /** @param name as a user types it, such as `./autollm up` */
  help(name: string): string;
  /** Runs a command line; a fault becomes one line and an exit code. */
  run(name: string, words: readonly string[]): Promise<void>;
}

/** Options that many commands have. */
export const STACK = { type: "string", default: "local", value: "NAME", says: 'another stack than "local"' } as const;
export const YES = { type: "boolean", says: "do not ask (always so when CI is set)" } as const;
export const JSON_OUT = { type: "boolean", says: "print the answer as JSON" } as const;

/** A command line in its own options and what is handed on; `--` ends the options. */
export function split(words: readonly string[], options: Options): readonly [own: string[], handedOn: string[]] {
  let at = 0;
  for (;;) {
    const [, name = "", value] = /^--([a-z][a-z-]*)(=.*)?$/s.exec(words[at] ?? "") ?? [];
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) break;
    at += option.type === "string" && value === undefined ? 2 : 1;
  }
  return [words.slice(0, at), words.slice(words[at] === "--" ? at + 1 : at)];
}

/** How long the lines of a help are: as the terminal is wide, within reason. */
const width = () => Math.max(60, Math.min(100, process.stdout.columns ?? 100));

/** An option as a usage names it. */
function shown(name: string, { type, value }: Option): string {
  return type === "string" ? `--${name} ${value ?? "TEXT"}` : `--${name}`;
}

function usageOf(name: string, { usage = "", options }: Pick<CommandSpec<Options>, "usage" | "options">): string {
  const left = Object.entries(options).filter(([option]) => !new RegExp(`--${option}(?![\\w-])`).test(usage));
  const words = [
    ...(usage === "" ? [] : usage.split(" ")),
    ...left.map(([option, spec]) => `[${shown(option, spec)}]`),
  ];
  return filled([`usage: ${name}`, ...words], width(), "       ");
}

function helpOf(name: string, spec: CommandSpec<Options>): string {
  const { about, words = {}, options, differs } = spec;
  const named = Object.entries(options).map(([option, each]) => [shown(option, each), each.says] as const);
  const all = rows([...Object.entries(words), ...named], width());
  const ends = differs === undefined ? [] : [`Ends with 2 if ${differs}.`];
  return [usageOf(name, spec), paragraphs(about, width()), ...(all === "" ? [] : [all]), ...ends].join("\n\n");
}

/** The frame of every command: reads the command line, answers `--help`, and turns faults into one line and an exit code. */
export function command<const Own extends Options>(
  spec: CommandSpec<Own>,
  work: (values: Values<Own>, positionals: readonly string[]) => Promise<number | undefined>,
): Command {
  // A script may give `--yes` to every command, also to one that asks nothing.
  const options = { yes: YES, ...spec.options };
  const { handsOn } = spec;
  const run = async (name: string, words: readonly string[]): Promise<number | undefined> => {
    const asked = handsOn === undefined ? words : handsOn === "rest" ? words.slice(0, 1) : [];
    const [args, handedOn] =
      handsOn === undefined ? [words, undefined] : handsOn === "rest" ? split(words, options) : [[], words];
    if (asked.some((arg) => arg === "--help" || arg === "-h")) {
      process.stdout.write(`${helpOf(name, spec)}\n`);
      return 0;
    }
    let parsed: ReturnType<typeof parseArgs<ParseConfig<Own>>>;
    try {
      parsed = parseArgs<ParseConfig<Own>>({ args: [...args], options, strict: true, allowPositionals: true });
    } catch (error) {
      throw new UserError(error instanceof Error ? error.message : String(error), USAGE);
    }
    const [unexpected] = parsed.positionals;
    if (unexpected !== undefined && spec.positionals !== true)
      throw new UserError(`"${unexpected}" is not expected here`, USAGE);
    const { values } = parsed;
    const positionals = handedOn ?? parsed.positionals;
    const stack = spec.changes === "nothing" ? undefined : spec.changes(values);
    if (stack === undefined) return work(values, positionals);
    return withStackLock(stack, name.replace(/^\S*autollm /, ""), () => work(values, positionals));
  };
  return {
    options: spec.options,
    choices: spec.choices ?? [],
    help: (name) => helpOf(name, spec),
    run: async (name, words) => {
      await main(() => run(name, words));
      if (process.exitCode === USAGE) say(`\n${usageOf(name, spec)}\n${name} --help explains it.`);
    },
  };
}
