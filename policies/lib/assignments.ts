import { withoutPem } from "../../components/strength/blobs.ts";
import { isReference, isSecretUnder } from "../../components/strength/secretNames.ts";
import { flagPasswords } from "./flags.ts";

/** A secret that a text exposes by the name before it. */
export interface Assignment {
  readonly name: string;
  readonly value: string;
  /** The form leaves no doubt that it is a secret, in a script either. */
  readonly explicit: boolean;
}

const QUOTED = `"((?:[^"\\\\\\n]|\\\\.)*)"|'([^'\\n]*)'`;

interface Form {
  readonly form: RegExp;
  /** The name and the value of a match. */
  readonly read: (match: RegExpMatchArray) => Omit<Assignment, "explicit">;
  readonly explicit?: boolean;
}

/** Stands before a name, so that a harmless one does not swallow the secret in its value: `"url": "https://…?token=…"`. */
const SECRET_HINT = "(?=[\\w.-]*(?:pass|pw|secret|token|key|cred|auth|webhook|dsn))";

const first = (...parts: (string | undefined)[]) => parts.find((part) => part !== undefined) ?? "";

const FORMS: readonly Form[] = [
  // NAME=value, name: value, "name": "value", ?name=value; not ${NAME:-…}, nor psql's PASSWORD :'variable'
  {
    form: new RegExp(
      `(?<!\\$\\{)(?<![\\w.-])(["']?)(${SECRET_HINT}[A-Za-z][\\w.-]*)\\1(?:[ \\t]*(?::=|=)|:|[ \\t]+:(?!["']))[ \\t]*(?:${QUOTED}|([^\\s"',;&|)}\\]]+))`,
      "gi",
    ),
    read: (match) => ({ name: match[2] ?? "", value: first(match[3], match[4], match[5]) }),
  },
  // ${NAME:-value}, ${NAME-value}, ${NAME:=value}
  {
    form: /\$\{([A-Za-z]\w*):?[-=]([^}]+)\}/g,
    read: (match) => ({ name: match[1] ?? "", value: match[2] ?? "" }),
  },
  // --password value, --requirepass=value, -pass 'value'
  {
    form: new RegExp(`(?<=^|\\s)--?([A-Za-z][\\w.-]*)(?:=|[ \\t]+)(?:${QUOTED}|([^\\s"']+))`, "g"),
    read: (match) => ({ name: match[1] ?? "", value: first(match[2], match[3], match[4]) }),
  },
  // requirepass value, masterauth value; machine NAME login NAME password value
  {
    form: new RegExp(
      `^\\s*(?:(requirepass|masterauth|masterpass)|(?:machine \\S+ )?login \\S+ (password))[ \\t]+(?:${QUOTED}|(\\S+))`,
      "gim",
    ),
    read: (match) => ({ name: first(match[1], match[2]), value: first(match[3], match[4], match[5]) }),
  },
  // PASSWORD 'value', IDENTIFIED BY 'value'
  {
    explicit: true,
    form: /(?:\bPASSWORD|\bIDENTIFIED\s+BY)\s+'([^']*)'/gi,
    read: (match) => ({ name: "PASSWORD", value: match[1] ?? "" }),
  },
  // <password>value</password>
  {
    form: /<([A-Za-z][\w.-]*)>([^<\n]+)<\/\1>/g,
    read: (match) => ({ name: match[1] ?? "", value: match[2] ?? "" }),
  },
  // host:port:database:user:value, as in .pgpass
  {
    form: /^[^\s:#]+:(?:\d+|\*):[^\s:]+:[^\s:]+:(\S+)$/gm,
    explicit: true,
    read: (match) => ({ name: "pgpass password", value: match[1] ?? "" }),
  },
  // user name on >value: Redis' access list
  {
    explicit: true,
    form: /(?<=^user\s[^\n]*\s)>(\S+)/gm,
    read: (match) => ({ name: "user password", value: match[1] ?? "" }),
  },
  // scheme://user:value@host
  {
    explicit: true,
    form: /\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/?#"']*:([^\s@/?#"']+)@/gi,
    read: (match) => ({ name: "URL password", value: decoded(match[1] ?? "") }),
  },
  // -u user:value, --user user:value
  {
    explicit: true,
    form: /(?<=^|\s)(?:-u|--user|--proxy-user)[ \t=]+["']?(?!\d+:\d+(?:\s|$))[^\s:"'/]+:([^\s"'/][^\s"']*)/g,
    read: (match) => ({ name: "user password", value: match[1] ?? "" }),
  },
  // Authorization: Basic …, Authorization: Bearer …
  {
    explicit: true,
    form: /\bauthorization["']?\s*[:=]\s*["']?(basic|bearer|token)\s+([A-Za-z0-9+/=._-]+)/gi,
    read: (match) => ({
      name: "Authorization token",
      value: match[1]?.toLowerCase() === "basic" ? basic(match[2] ?? "") : (match[2] ?? ""),
    }),
  },
];

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The password of HTTP's basic authentication. */
function basic(encoded: string): string {
  const text = Buffer.from(encoded, "base64").toString("utf8");
  return text.slice(text.indexOf(":") + 1);
}

/** Lines that only people read. */
const COMMENT = /^[ \t]*(#|-- |\/\/|;).*$/gm;

/** The secrets that a text, of whatever format, assigns in plain. */
export function assignments(text: string): readonly Assignment[] {
  // JSON in a string of JSON has its quotes escaped.
  const code = withoutPem(text).replace(COMMENT, "").replaceAll('\\"', '"');
  const named = FORMS.flatMap(({ form, read, explicit = false }) =>
    [...code.matchAll(form)]
      .map((match) => ({ ...read(match), explicit }))
      .filter(({ name, value }) => isSecretUnder(name, value)),
  );
  const flagged = flagPasswords(code).map((found) => ({ ...found, explicit: true }));
  return [...named, ...flagged].filter(({ name, value }) => !isReference(name, value));
}
