import { ROOT_FOLDERS } from "./secretNames.ts";

/** Forms by which issued secrets are known, whatever name they stand under. */
const KNOWN: readonly (readonly [string, RegExp])[] = [
  ["a private key", /-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|PuTTY-User-Key-File|AGE-SECRET-KEY-1[A-Z0-9]{50}/],
  ["an AWS access key", /\b(AKIA|ASIA)[0-9A-Z]{16}\b/],
  ["a GitHub token", /\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})/],
  ["a GitLab token", /\bglpat-[A-Za-z0-9_-]{20,}/],
  ["an npm token", /\bnpm_[A-Za-z0-9]{36}\b/],
  ["an API key", /\bsk-(ant-|proj-|live-|test-)?[A-Za-z0-9_-]{20,}/],
  ["a Stripe key", /\b[rs]k_(live|test)_[A-Za-z0-9]{16,}/],
  ["a Google API key", /\bAIza[0-9A-Za-z_-]{35}\b/],
  ["a Slack token", /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/],
  ["a Slack webhook", /hooks\.slack\.com\/(services|workflows)\/[A-Za-z0-9/]{20,}/],
  ["a Telegram bot token", /\b\d{8,10}:[A-Za-z0-9_-]{35}\b/],
  ["a Pulumi token", /\bpul-[0-9a-f]{40}\b/],
  ["a Grafana token", /\bgl(sa|c)_[A-Za-z0-9+/=_-]{30,}/],
  ["a signed web token", /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}/],
  ["a password's hash", /\$(2[aby]|apr1|argon2(id?|d)|scrypt|6|5|1|y)\$[A-Za-z0-9./=,$-]{20,}|SCRAM-SHA-256\$\d+:/],
];

/** The secret that a text contains, by its form. */
export function knownToken(text: string): string | undefined {
  return KNOWN.find(([, form]) => form.test(text))?.[0];
}

/** Shortest run of characters that can hold a secret worth the name. */
const MIN_RANDOM = 20;
const MIN_BITS_PER_CHARACTER = 3.6;

/** Shannon's entropy, in bits per character. */
export function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const sign of text) counts.set(sign, (counts.get(sign) ?? 0) + 1);
  const length = [...text].length;
  return [...counts.values()].reduce((sum, count) => sum - (count / length) * Math.log2(count / length), 0);
}

/** Public by nature: digests, ids, public SSH keys, certificates. */
const PUBLIC =
  /sha(1|256|384|512)[:=-][0-9a-zA-Z+/=]+|\b(ssh-|ecdsa-|sk-ssh-)[a-z0-9@.-]+ AAAA[A-Za-z0-9+/=]+|\bAAAA[A-Za-z0-9+/=]{40,}|-----BEGIN (CERTIFICATE|PUBLIC KEY)-----[^-]+-----END [A-Z ]+-----|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** Says where a file or a socket is, up to what may follow in a URL: a folder for the time of a run has a name drawn at random. */
const PLACE = new RegExp(`(?:\\bunix://|(?<![\\w.:/@%+-]))/(?:${ROOT_FOLDERS})(?:/[\\w.@+-]+)+`, "g");

/** Whether a text holds a run that looks drawn at random: long, of several kinds of characters, without order. */
export function holdsRandom(text: string): boolean {
  const rest = text.replace(PUBLIC, " ").replace(PLACE, " ");
  const runs = rest.match(/[A-Za-z0-9_-]{20,}|[A-Za-z0-9+/]{20,}={0,2}/g) ?? [];
  return runs.some((run) => {
    if (/^[0-9a-f]{32,}$|^[0-9A-F]{32,}$/.test(run)) return entropy(run) > 3;
    const parts = isPath(run) ? run.split("/") : [run];
    return parts.some(
      (part) =>
        part.length >= MIN_RANDOM &&
        /[a-z]/.test(part) &&
        /[A-Z]/.test(part) &&
        /[0-9]/.test(part) &&
        entropy(part) >= MIN_BITS_PER_CHARACTER &&
        // Names such as UnattendedUpgrades2Minutes change kind seldom; random text changes it all the time.
        changes(part) >= part.length / 3,
    );
  });
}

/** Slashes part the folders of a path, where one is a word, and belong to the text in base64. */
export function isPath(run: string): boolean {
  return run.split("/").some((part) => part.length < 2 || /^[a-z]{3,}$/.test(part));
}

/** How often neighbours are of another kind: lower, upper, digit, sign. */
function changes(text: string): number {
  const kinds = [...text].map((sign) => (/[a-z]/.test(sign) ? 0 : /[A-Z]/.test(sign) ? 1 : /\d/.test(sign) ? 2 : 3));
  return kinds.filter((kind, index) => index > 0 && kind !== kinds[index - 1]).length;
}
