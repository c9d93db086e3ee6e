/** The stack that `./autollm` uses if none is named. */
const DEFAULT_STACK = "local";

/** A command line for a message: it works as it stands on that stack, in any clone. */
export function commandLine(stack: string, words: string): string {
  return `./autollm ${words}${stack === DEFAULT_STACK ? "" : ` --stack ${stack}`}`;
}

/** A command line that changes a stack's config. */
export function configCommand(stack: string, words: string): string {
  return commandLine(stack, `pulumi config ${words}`);
}

/** The path of a value inside the config, as `config set --path` takes it: a name with other signs stands in brackets. */
export function configPath(parts: readonly PropertyKey[]): string {
  return parts
    .map(String)
    .map((part, index) => (/^[\w-]+$/.test(part) ? `${index === 0 ? "" : "."}${part}` : `["${part}"]`))
    .join("");
}
