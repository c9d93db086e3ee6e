/**
 * What looks like a secret, in RE2's form: it is masked in spans and logs before they are stored. The first group is
 * kept. A secret of 32 hex digits without a name beside it looks like a trace's id and is not recognised by its form.
 */
const secretLooks = {
  /** `password=…`, `"api_key": "…"`, `\"token\":\"…\"`, `Authorization: Bearer …` */
  named:
    "(?i)((?:(?:passw(?:or)?d|passphrase|secret|api[_-]?key|authorization|credential|private[_-]?key|cookie)\\w*|token)\\\\?[\"']?\\s*[:=]\\s*\\\\?[\"']?(?:bearer\\s+|basic\\s+)?)[^\\s\"'\\\\,;&}]+",
  /** The login in an address: `postgres://user:…@host` */
  url: "(://[^/\\s:@]*:)[^/\\s@]+@",
  bearer: "(?i)(bearer\\s+)[\\w.~+/-]+=*",
  jwt: "()\\beyJ[\\w-]+\\.[\\w-]+\\.[\\w-]*",
  pem: "()-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
  /** Keys with a vendor's prefix: OpenAI, Slack, AWS, GitHub. */
  vendor: "()\\b(?:sk-[\\w-]{16,}|xox[a-z]-[\\w-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\\w{20,})",
  telegram: "()\\b\\d{8,10}:[\\w-]{35}\\b",
  slackHook: "(hooks\\.slack\\.com/services/)[\\w/]+",
  /** Longer than a trace's id, and no word: the platform's generated passwords have 33 letters and digits or more. */
  opaque: "()\\b[A-Za-z0-9]{33,}\\b",
} as const;

/** The patterns, in the order in which they are masked: secrets recognised by their name first. */
export const secretPatterns: readonly string[] = Object.values(secretLooks);

/** Names of attributes whose values are masked whole; the tokens of a language model are counted, not hidden. */
export const secretKeys = [
  "(?i).*(passw(or)?d|passphrase|secret|token$|api[._-]?key|authorization|credential|private[._-]?key|cookie).*",
] as const;

/** A dollar sign starts a reference in the collector's configuration, and a group in its patterns. */
const MASK = "$$1****";

/** Statements of the collector's transform processor that mask the patterns in a field. */
export function maskStatements(field: string): string[] {
  return secretPatterns.map(
    (pattern) => `replace_pattern(${field}, ${JSON.stringify(pattern.replaceAll("$", "$$$$"))}, "${MASK}")`,
  );
}

/** The collector's processor that masks attributes, by name and by what their values look like. */
export const redaction = {
  allow_all_keys: true,
  blocked_key_patterns: [...secretKeys],
  blocked_values: [...secretPatterns],
  // A list of what was masked would show where to look for it.
  summary: "silent",
} as const;
