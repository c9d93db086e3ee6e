/** Values that are only ever placeholders for a secret. Refused everywhere. */
export const UNMISTAKABLE: readonly string[] = [
  "changeme",
  "changethis",
  "changeit",
  "replaceme",
  "replacethis",
  "autollm123",
  "devredis",
  "edemo",
  "demouser",
  "letmein",
  "mysecretpassword",
  "supersecret",
  "hunter2",
  "correcthorsebatterystaple",
  "minioadmin",
];

const words = (text: string) => text.trim().split(/\s+/);

/** Words that make no password, alone, joined, or with digits around them. Refused as a secret. */
export const WEAK_WORDS: readonly string[] = [
  ...new Set([
    ...UNMISTAKABLE.filter((word) => /^[a-z]+$/.test(word)),
    ...words(
      "access account admin administrator alpaca api apikey autollm azerty backup bar baz binance bot bototo broker caddy change coinbase crypto data",
    ),
    ...words(
      "database db default demo dev development dummy empty enter example exporter fill fixme foo foobar freqtrade gateway grafana guest hello here ib",
    ),
    ...words(
      "ibgateway ibkr insert iloveyou jwt key kraken live llm local localhost login manager master me miniflux my nats new none nothing null openai",
    ),
    ...words(
      "operator pass passphrase passwd password passwort paper placeholder please postgres postgresql private prod production prom prometheus public",
    ),
    ...words(
      "pw pwd qwerty qwertyuiop qwertz redis replace risk root sample secret server service set signing smtp staging stack super sysadmin system temp",
    ),
    ...words(
      "temporary test tester testing the this tmp todo token trade trader trading tws unset user vnc wait welcome willhardy x xx xxx xxxx xyz you your",
    ),
    ...words("alertmanager badc0ffee baadf00d cafebabe c0ffee deadbeef feedface jaeger loki telegram slack pagerduty"),
  ]),
];

const ISSUERS = words(
  "api openai finnhub miniflux alpaca binance coinbase kraken freqtrade smtp telegram slack pagerduty",
);
const THINGS = words("key api_key secret api_secret token password");

/** Placeholders for a value. */
const UNSET = words("replace_me change_me change-me replace-me REPLACE_ME CHANGE_ME");

/** Placeholders as files of examples have them. */
export const PLACEHOLDERS: readonly string[] = [
  ...ISSUERS.flatMap((issuer) => THINGS.map((thing) => `your_${issuer}_${thing}`)),
  ...THINGS.map((thing) => `your_${thing}`),
  ...UNSET,
];

/**
 * Known defaults as programs and examples spell them: what a running program is tried with. Few enough to be asked about within a
 * minute under the edge's limit.
 */
export const SPELLED_DEFAULTS: readonly string[] = [
  ...new Set([
    ...UNSET,
    ...words(
      "change_this secret jwt_secret jwt-secret jwtsecret your_jwt_secret your-jwt-secret secret_key secretkey my_secret",
    ),
    ...words("your_secret your_secret_key your_api_key your_token your-256-bit-secret dev_secret test_secret"),
    ...words("admin password test default dev 123456 12345678 autollm token key"),
    ...UNMISTAKABLE,
  ]),
];

/** What people put around a known word to pass a rule about passwords. */
export const AFFIXES: readonly string[] = ["", "1", "12", "123", "1234", "!", "2024", "2025", "2026"];

/** Digits that are typed in their order. */
export const DIGITS: readonly string[] = ["", "0", "1", "0000", "1111", "123", "1234", "12345", "123456", "1234567"]
  .concat(["12345678", "123456789", "1234567890", "0123456789", "654321", "111111", "000000", "00000000"])
  .concat(["qwerty123", "p@ssw0rd", "P@ssw0rd", "passw0rd", "Passw0rd", "abc", "abc123", "1q2w3e4r", "1qaz2wsx"]);

/** The names that are a stack's own: its domain as a whole, and its parts. */
export function ownNames(domain: string): readonly string[] {
  const parts = domain
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((part) => part.length > 1);
  return [...new Set(parts)];
}
