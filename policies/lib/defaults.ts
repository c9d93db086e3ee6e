/** Values that only ever stand for a secret that nobody has set. Refused wherever they stand. */
const UNMISTAKABLE = [
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
];

/** `your_binance_key`, `<your-api-key-here>`. */
const YOURS = /^your[a-z0-9]{0,30}(key|token|password|secret|passphrase|credential)s?(here)?$/;
/** `insert token here`, `my-secret-key`: names of things in a program, but no secrets. */
const PLACEHOLDER =
  /^(my|insert|enter|put|add)[a-z0-9]{0,30}(key|token|password|secret|passphrase|credential)s?(here)?$/;

/** Words that make no password, alone, joined, or with digits around them. Refused where a secret stands. */
const WEAK_WORDS = [
  ...UNMISTAKABLE.filter((word) => /^[a-z]+$/.test(word)),
  ..."access account admin administrator alpaca api apikey autollm azerty backup bar baz binance bot bototo broker caddy change coinbase crypto data".split(
    " ",
  ),
  ..."database db default demo dev development dummy empty enter example exporter fill fixme foo foobar freqtrade gateway grafana guest hello here ib".split(
    " ",
  ),
  ..."ibgateway ibkr insert iloveyou jwt key kraken live llm local localhost login manager master me miniflux my nats new none nothing null openai".split(
    " ",
  ),
  ..."operator pass passphrase passwd password passwort paper placeholder please postgres postgresql private prod production prom prometheus public".split(
    " ",
  ),
  ..."pw pwd qwerty qwertyuiop qwertz redis replace risk root sample secret server service set signing smtp staging stack super sysadmin system temp".split(
    " ",
  ),
  ..."temporary test tester testing the this tmp todo token trade trader trading tws unset user vnc wait welcome willhardy x xx xxx xxxx xyz you your".split(
    " ",
  ),
];

const JOINED = new RegExp(`^(?:${[...new Set(WEAK_WORDS)].sort((a, b) => b.length - a.length).join("|")})+$`);
const LONGEST = 64;
const unmistakable = new Set(UNMISTAKABLE);

const LEET: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "8": "b",
  "9": "g",
  "@": "a",
  $: "s",
  "!": "i",
  "|": "l",
  "+": "t",
  "€": "e",
  "£": "l",
};

const unLeet = (text: string, one: string) =>
  text.replace(/[0-9@$!|+€£]/g, (sign) => (sign === "1" ? one : (LEET[sign] ?? sign)));
const letters = (text: string) => text.replace(/[^a-z]/g, "");
const lettersAndDigits = (text: string) => text.replace(/[^a-z0-9]/g, "");

/** Without case, accents, wide letters and invisible signs. */
function folded(value: string): string {
  return value
    .normalize("NFKD")
    .replace(/[\p{M}\p{Cf}]/gu, "")
    .toLowerCase()
    .trim();
}

/** `abcabc` as `abc`. */
function once(text: string): string {
  return /^(.+?)\1+$/s.exec(text)?.[1] ?? text;
}

/** The shapes under which a known word hides: another case, accents, wide letters, leet, separators, digits around it. */
function shapes(value: string): readonly string[] {
  const lower = once(folded(value));
  const whole = [lower, [...lower].reverse().join("")];
  const cores = whole.map((text) => text.replace(/^[^a-z@$]+|[^a-z@$]+$/g, ""));
  return [...whole, ...cores].flatMap((text) => [
    lettersAndDigits(text),
    letters(unLeet(text, "i")),
    letters(unLeet(text, "l")),
  ]);
}

/** Whether a text is a known default or placeholder, whatever it stands for. */
export function isUnmistakableDefault(value: string): boolean {
  if (value.length < 5 || value.length > LONGEST) return false;
  return shapes(value).some((shape) => unmistakable.has(shape) || YOURS.test(shape));
}

/** Whether a secret is a known default: also words like `admin` and `test`, and digits alone. */
export function isDefaultSecret(value: string): boolean {
  if (value === "" || value.length > LONGEST) return false;
  if (isUnmistakableDefault(value) || /^\d{1,14}$|^(.)\1*$/su.test(folded(value).replace(/[^\p{L}\d]/gu, "")))
    return true;
  const half = lettersAndDigits(value.toLowerCase()).length / 2;
  return shapes(value).some((shape) => shape.length >= half && (JOINED.test(shape) || PLACEHOLDER.test(shape)));
}
