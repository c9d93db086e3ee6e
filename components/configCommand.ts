/** The stack that `npm run pulumi` is about without a word. */
const DEFAULT_STACK = "local";

/** A command line that changes a stack's config, for a message: it works as it stands, in any clone. */
export function configCommand(stack: string, words: string): string {
  return `npm run pulumi -- config ${words}${stack === DEFAULT_STACK ? "" : ` --stack ${stack}`}`;
}
