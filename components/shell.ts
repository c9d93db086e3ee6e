/** Quotes a word for a POSIX shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Shell variables, a line each, as they stand before a script that reads them. */
export function assignments(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quote(value)}`)
    .join("\n");
}

/** Runs the script on its stdin as root, from an account that may sudo or from root itself. */
export const ROOT_SHELL = 'if [ "$(id -u)" -eq 0 ]; then exec sh -s; else exec sudo -n sh -s; fi';

/** Runs a script as root, from an account that may sudo or from root itself; stdin is the script's. */
export function asRoot(script: string): string {
  const word = quote(script);
  // What a script leaves unread of its stdin is read: the client would take the refusal for a fault.
  return `if [ "$(id -u)" -eq 0 ]; then sh -c ${word}; else sudo -n sh -c ${word}; fi; code=$?; cat >/dev/null; exit "$code"`;
}
