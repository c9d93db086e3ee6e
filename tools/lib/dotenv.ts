/** A variable of an env file, by its last line there. */
export interface EnvVariable {
  readonly name: string;
  /** The line that it begins on, from 1. */
  readonly line: number;
  /** What docker compose passes to a container; undefined where that cannot be told from the file. */
  readonly value: string | undefined;
  /** Why there is no value, and what to write instead; never a part of the value. */
  readonly unclear?: string;
}

export interface EnvFile {
  readonly variables: readonly EnvVariable[];
  /** Lines on which docker compose, or we, cannot tell what is meant; never a part of a value. */
  readonly faults: readonly string[];
}

/** Go's `unicode.IsSpace`, in which JavaScript's `\s` lacks U+0085 and has U+FEFF. */
const SPACES = "\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const LEADING = new RegExp(`^[${SPACES}]+`);
const TRAILING = new RegExp(`[${SPACES}]+$`);
/** White space within a line, as docker compose knows it. */
const INNER = "\\t\\v\\f\\r \\u0085\\u00a0";
const EXPORT = /^export[\t\n\f\r ]+/;
/** A name, and what ends it: the value, or the line. */
const NAME = new RegExp(`^([${INNER}\\p{L}\\p{N}_.[\\]-]*?)[${INNER}]*(=|:|\\n|$)`, "u");
const AFTER_NAME = new RegExp(`^[${INNER}]+`);
/** What may stand behind a closing quote: docker compose begins another variable there with anything else. */
const REST_OF_LINE = new RegExp(`^[${INNER}]*(#[^\\n]*)?(?=\\n|$)`);
/** The escapes that count within double quotes. */
const ESCAPE = /\\(?:[abcfnrtv$"\\]|0\d{0,3})/g;
const ESCAPED: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  '"': '"',
  "\\": "\\",
  // A dollar sign that stands for itself.
  $: "$$",
};
const REFERENCE = /\$(?:(\$)|([_a-z][_a-z0-9]*)|\{(?:([_a-z][_a-z0-9]*)\}|([_a-z][_a-z0-9]*:?[-+?].*\})|))/giu;

function unescaped(text: string): string {
  return text.replace(ESCAPE, (whole) => {
    const [, kind = "", ...digits] = whole;
    if (kind !== "0") return ESCAPED[kind] ?? whole;
    // Three digits in base eight, no more than a byte. Anything else only loses its 0, as in docker compose.
    const octal = digits.join("");
    const code = Number.parseInt(octal, 8);
    return /^[0-7]{3}$/.test(octal) && code <= 255 ? String.fromCharCode(code) : `\\${octal}`;
  });
}

/** Where a quoted value ends, and what stands in it; undefined where no quote closes it. */
function quoted(source: string): { readonly text: string; readonly end: number } | undefined {
  const [quote] = source;
  let text = "";
  for (let index = 1; index < source.length; index++) {
    const sign = source[index] ?? "";
    const next = source[index + 1];
    if (sign === quote) return { text, end: index + 1 };
    if (sign !== "\\" || next === undefined) text += sign;
    else {
      text += next === quote ? next : sign + next;
      index++;
    }
  }
  return undefined;
}

const WRITE_IT = "write the value itself, and a dollar sign in it as $$";

/**
 * Reads an env file as docker compose does (compose-go's `dotenv`): each value is what a container gets, whether by
 * `env_file` or by `${NAME}` in the compose file. What the file alone does not tell, such as a variable of the shell, has no value.
 */
export function readEnvFile(content: string): EnvFile {
  const source = content.replace(/^\uFEFF/, "");
  const found: { name: string; line: number; raw: string | undefined; literal: boolean }[] = [];
  const faults: string[] = [];
  const lineAt = (position: number) => source.slice(0, position).split("\n").length;
  const lineEnd = (position: number) => {
    const end = source.indexOf("\n", position);
    return end === -1 ? source.length : end + 1;
  };
  for (let position = 0; position < source.length; ) {
    position += LEADING.exec(source.slice(position))?.[0].length ?? 0;
    if (position >= source.length) break;
    if (source[position] === "#") {
      position = lineEnd(position);
      continue;
    }
    const line = lineAt(position);
    const rest = source.slice(position);
    const exported = EXPORT.exec(rest)?.[0];
    if (exported?.includes("\n")) {
      position = lineEnd(position);
      continue;
    }
    const statement = rest.slice(exported?.length ?? 0).replace(AFTER_NAME, "");
    const [head, name = "", ends] = NAME.exec(statement) ?? [];
    if (head === undefined || new RegExp(`[${INNER}]`).test(name) || (name === "" && ends !== "\n")) {
      faults.push(`line ${line}: is not NAME=VALUE: a name has letters, digits, _ and no white space`);
      position = lineEnd(position);
      continue;
    }
    position += rest.length - statement.length + head.length;
    if (ends === "\n" || ends === "") {
      if (name !== "") found.push({ name, line, raw: undefined, literal: true });
      continue;
    }
    position += AFTER_NAME.exec(source.slice(position))?.[0].length ?? 0;
    const sign = source[position];
    if (sign !== '"' && sign !== "'") {
      const end = lineEnd(position);
      const text = source.slice(position, end).replace(/\n$/, "");
      found.push({ name, line, raw: text.split(" #", 1)[0]?.replace(TRAILING, "") ?? "", literal: false });
      position = end;
      continue;
    }
    const value = quoted(source.slice(position));
    if (value === undefined) {
      faults.push(`line ${line}: ${name}: the quote ${sign} is not closed`);
      break;
    }
    position += value.end;
    const remainder = REST_OF_LINE.exec(source.slice(position));
    if (remainder === null) {
      faults.push(
        `line ${line}: ${name}: text stands behind the closing quote; write a quote in the value as \\${sign}`,
      );
      position = lineEnd(position);
      continue;
    }
    position += remainder[0].length;
    found.push({ name, line, raw: sign === '"' ? unescaped(value.text) : value.text, literal: sign === "'" });
  }
  return { variables: resolved(found, faults), faults };
}

/** Puts the references in, and keeps the last line of each name. */
function resolved(
  found: readonly { name: string; line: number; raw: string | undefined; literal: boolean }[],
  faults: string[],
): readonly EnvVariable[] {
  const lines = new Map<string, number>();
  for (const { name } of found) lines.set(name, (lines.get(name) ?? 0) + 1);
  const variables = new Map<string, EnvVariable>();
  for (const { name, line, raw, literal } of found) {
    const variable = (value: string | undefined, unclear?: string) => {
      variables.delete(name);
      variables.set(name, { name, line, value, ...(unclear === undefined ? {} : { unclear }) });
    };
    if (raw === undefined) {
      variable(undefined, "has no value here, and docker compose took the shell's; write NAME=VALUE");
      continue;
    }
    if (literal) {
      variable(raw);
      continue;
    }
    let unclear: string | undefined;
    const value = raw.replace(REFERENCE, (_, dollar, plain, braced, operator) => {
      const other: string | undefined = plain ?? braced;
      if (dollar !== undefined) return "$";
      if (operator !== undefined) unclear ??= `takes a value by \${...} with a condition; ${WRITE_IT}`;
      else if (other === undefined) {
        faults.push(`line ${line}: ${name}: \${ begins no name; ${WRITE_IT}`);
        unclear ??= "is no value";
      } else {
        const known = variables.get(other)?.value;
        // Of a name with two lines, which one holds depends on the way the file was given to docker compose.
        if (known !== undefined && lines.get(other) === 1 && other !== name) return known;
        unclear ??= `refers by $ to a variable that this file does not set before, and only once; ${WRITE_IT}`;
      }
      return "";
    });
    variable(unclear === undefined ? value : undefined, unclear);
  }
  return [...variables.values()];
}
