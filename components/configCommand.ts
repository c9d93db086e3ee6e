/** The stack that `npm run pulumi` uses if none is named. */
const DEFAULT_STACK = "local";

/** A command line that changes a stack's config, for a message: it works as it stands, in any clone. */
export function configCommand(stack: string, words: string): string {
  return `npm run pulumi -- config ${words}${stack === DEFAULT_STACK ? "" : ` --stack ${stack}`}`;
}

/** The path of a value inside the config, as `config set --path` takes it: a name with other signs stands in brackets. */
export function configPath(parts: readonly PropertyKey[]): string {
  return parts
    .map(String)
    .map((part, index) => (/^[\w-]+$/.test(part) ? `${index === 0 ? "" : "."}${part}` : `["${part}"]`))
    .join("");
}
