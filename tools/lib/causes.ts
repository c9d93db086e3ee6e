/** A fault that lies outside the project: how it shows in what a program said, and the line that tells a user what it is. */
export interface Cause {
  readonly shows: RegExp;
  /** One line: what is wrong, and how to fix it. */
  readonly line: (found: RegExpExecArray) => string;
}

/** The first that shows counts: what says more stands first. */
export const causes: readonly Cause[] = [
  {
    shows: /incorrect passphrase/,
    line: () =>
      "the passphrase does not open the stack's secrets: set PULUMI_CONFIG_PASSPHRASE_FILE to the file that holds the right one (a local stack's is `passphrase` beside its state; take it from a backup if that file was changed)",
  },
  {
    shows: /passphrase must be set with PULUMI_CONFIG_PASSPHRASE/,
    line: () =>
      "the stack's secrets have a passphrase and none is set: set PULUMI_CONFIG_PASSPHRASE_FILE to the file that holds it",
  },
  {
    shows: /PULUMI_ACCESS_TOKEN must be set for login|not logged in|run `pulumi login`/,
    line: () =>
      "no backend is chosen for the stack's state: run ./autollm pulumi login <your backend>, or set PULUMI_ACCESS_TOKEN",
  },
  {
    shows: /unable to open state directory "([^"]+)"/,
    line: ([, place]) =>
      `the backend of the stack's state is not there: ${place}. Nothing was changed. Mount that disk, or choose another backend with ./autollm pulumi login`,
  },
  {
    shows:
      /(?:performing HTTP request: Get "(https?:\/\/[^/"]+)|read "\.pulumi\/meta\.yaml".*?Get "(https?:\/\/[^/"]+)).*?: ([^:\n]+(?:: [^:\n]+)?)$/m,
    line: ([, cloud, bucket, why]) =>
      `the backend of the stack's state does not answer: ${cloud ?? bucket} (${why}). Nothing was changed. Try again when it is back; check the network and a proxy first`,
  },
  {
    shows: /no stack named '([^']+)' found/,
    line: ([, stack]) =>
      `the backend has no stack ${stack}: ./autollm pulumi whoami --verbose says which backend that is; choose the right one with ./autollm pulumi login, or make the stack with ./autollm pulumi stack init ${stack}`,
  },
  {
    // As Node says it, and as Go does.
    shows:
      /\b(?:EROFS|EACCES|EPERM): [^\n]*?'(\/[^'\n]+)'|\b(?:mkdir|open|rename|create) (\/[^\s:]+): (?:permission denied|read-only file system)/,
    line: ([, node, go]) =>
      `${node ?? go} cannot be written to: run as its owner, or choose other folders: AUTOLLM_CACHE (what is built), AUTOLLM_HOME (local stacks), XDG_STATE_HOME (their files), GOPATH and GOCACHE (Go's)`,
  },
  {
    shows: /ENOSPC|no space left on device/,
    line: () =>
      "a disk of this machine is full: df -h shows which; docker system df and npx node tools/bootstrap/images/main.ts --prune tell what can go",
  },
];

/** What a program's words, or an error's message, come from; undefined where no row knows it. */
export function causeOf(said: string): string | undefined {
  for (const { shows, line } of causes) {
    const found = shows.exec(said);
    if (found !== null) return line(found);
  }
  return undefined;
}
