import type { Options } from "./command.ts";

/** What a shell completes of a command. */
export interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly options: Options;
  /** Values of the first word, where they are known. */
  readonly choices: readonly string[];
}

export const shells = ["bash", "zsh"] as const;
export type Shell = (typeof shells)[number];

/** Prints the stacks that the clone's files name: those of the repository, and those of this machine. Both shells read it. */
const STACKS = `_autollm_stacks() {
  local root file
  root=$(dirname "$(readlink -f "$(command -v -- "$1")")") 2>/dev/null || return 0
  for file in "$root"/Pulumi.?*.yaml "\${AUTOLLM_HOME:-$root/.pulumi-local}"/Pulumi.?*.yaml; do
    [ -e "$file" ] || continue
    file=\${file##*/Pulumi.}
    echo "\${file%.yaml}"
  done | sort -u
}`;

/** Options whose value is a stack. */
const STACK_OPTIONS = ["stack", "into"];

const optionWords = (options: Options) => [...Object.keys(options), "help"].map((name) => `--${name}`);

function bash(commands: readonly Completed[]): string {
  const cases = commands.map(
    ({ name, options, choices }) => `    ${name}) words="${[...choices, ...optionWords(options)].join(" ")}" ;;`,
  );
  const values = commands.flatMap(({ name, options }) =>
    Object.entries(options).flatMap(([option, { type, choices }]) => {
      if (type !== "string") return [];
      if (STACK_OPTIONS.includes(option))
        return [`    "${name} --${option}") words=$(_autollm_stacks "\${COMP_WORDS[0]}") ;;`];
      // Nothing of ours: the shell completes files.
      return [`    "${name} --${option}") words="${(choices ?? []).join(" ")}" ;;`];
    }),
  );
  return `# Completion of autollm for bash, made by: ./autollm completion bash
${STACKS}
_autollm() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=''
  case "$COMP_CWORD \${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD - 1]}" in
    "1 "*) words="${commands.map(({ name }) => name).join(" ")} help" ;;
    "2 help "*) words="${commands.map(({ name }) => name).join(" ")}" ;;
    *) case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD - 1]}" in
${values.map((line) => line.replace(/^ {4}/, "        ")).join("\n")}
        *) case "\${COMP_WORDS[1]}" in
${cases.map((line) => line.replace(/^ {4}/, "            ")).join("\n")}
          esac ;;
      esac ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _autollm autollm`;
}

/** A text inside single quotes and brackets of zsh's _arguments. */
const zshText = (text: string) => text.replace(/[[\]:\\]/g, (sign) => `\\${sign}`).replaceAll("'", "'\\''");

function zsh(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, options, choices }) => {
    const specs = Object.entries(options).map(([option, { type, value, choices: values, says, multiple }]) => {
      const action = STACK_OPTIONS.includes(option)
        ? '{compadd -- $(_autollm_stacks "$program")}'
        : values === undefined
          ? "_files"
          : `(${values.join(" ")})`;
      const repeated = multiple === true ? "*" : "";
      const argument = type === "string" ? `:${zshText(value ?? "TEXT")}:${action}` : "";
      return `'${repeated}--${option}[${zshText(says)}]${argument}'`;
    });
    const words = choices.length === 0 ? "'*:file:_files'" : `'*:${name}:(${choices.join(" ")})'`;
    return `    ${name}) _arguments ${[...specs, "'--help[explain it]'", words].join(" ")} ;;`;
  });
  return `#compdef autollm
# Completion of autollm for zsh, made by: ./autollm completion zsh
${STACKS}
_autollm() {
  local program=$words[1]
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    '${name}:${zshText(summary).replaceAll("\\:", ":")}'`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${cases.join("\n")}
  esac
}
compdef _autollm autollm`;
}

/** The script by which a shell completes `./autollm`. */
export function completionScript(shell: Shell, commands: readonly Completed[]): string {
  return shell === "bash" ? bash(commands) : zsh(commands);
}
