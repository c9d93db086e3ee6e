import type { SettingValue } from "../outside.ts";

/**
 * The references in the value of a variable:
 *   ${credential:jwt}     the value of a credential that the service is granted
 *   ${file:nats-ca}       the path, inside the container, of the file that holds it
 *   ${address:nats.url}   the address of a component that the service needs, with its login (addresses.ts)
 *   ${setting:mail.host}  a setting of the stack's config for outside systems (components/outside.ts)
 *   $${                   a plain ${
 * A value that is a JSON text has its references filled in within its strings, with what JSON must escape. A variable, or a
 * member or element of a JSON text, that is only one reference to something not supplied is left out. A setting that is a list or
 * a number stays one where it is a member of a JSON text alone; in any other text a list has commas between its elements.
 */

export type ReferenceKind = "credential" | "file" | "address" | "setting";

/** What a value refers to. */
export interface Reference {
  readonly kind: ReferenceKind;
  readonly name: string;
}

/** The value of a reference; undefined if it is not supplied. */
export type Resolve = (reference: Reference) => SettingValue | undefined;

const TOKEN = /\$\$\{|\$\{([^}]*)\}?/g;
const INSIDE = /^(?:(credential|file|address):([a-z0-9.-]+)|(setting):([A-Za-z.]+))$/;

/** A reference in the form of a value, for the tables of applications. */
export const refer = (kind: ReferenceKind, name: string): string => `\${${kind}:${name}}`;

type Part = string | Reference;

/** A text in its plain parts and its references; a string says what is wrong with it. */
function parse(text: string): readonly Part[] | { readonly fault: string } {
  const parts: Part[] = [];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.push(text.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[1] === undefined) {
      parts.push("${");
      continue;
    }
    const inside = INSIDE.exec(match[1]);
    if (inside === null || !match[0].endsWith("}"))
      return {
        fault: `has \${${match[1]}, which is no reference: write \${credential:NAME}, \${file:NAME}, \${address:NAME} or \${setting:NAME}, and $\${ for a plain \${`,
      };
    const [, kind, name, setting, key] = inside;
    parts.push({ kind: (kind ?? setting) as ReferenceKind, name: name ?? key ?? "" });
  }
  parts.push(text.slice(at));
  return parts.filter((part) => part !== "");
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The object or array in a JSON text; undefined for any other text. */
function json(text: string): Json | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function strings(value: Json): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap((each) => strings(each as Json));
}

/** What a value refers to, or what is wrong with it. */
export function references(value: string): readonly Reference[] | string {
  const parsed = json(value);
  const found: Reference[] = [];
  for (const text of parsed === undefined ? [value] : strings(parsed)) {
    const parts = parse(text);
    if ("fault" in parts) return parts.fault;
    found.push(...parts.filter((part): part is Reference => typeof part !== "string"));
  }
  return found;
}

const asText = (value: SettingValue): string => (typeof value === "object" ? value.join(",") : String(value));

function fillText(text: string, resolve: Resolve): SettingValue | undefined {
  const parts = parse(text);
  if ("fault" in parts) throw new Error(parts.fault);
  const [first] = parts;
  if (parts.length === 1 && typeof first === "object") return resolve(first);
  return parts
    .map((part) => {
      if (typeof part === "string") return part;
      const value = resolve(part);
      if (value === undefined) throw new Error(`refers to ${part.kind}:${part.name}, which is not supplied`);
      return asText(value);
    })
    .join("");
}

function fillJson(value: Json, resolve: Resolve): Json | undefined {
  if (typeof value === "string") return fillText(value, resolve);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value))
    return value.map((each: Json) => fillJson(each, resolve)).filter((each): each is Json => each !== undefined);
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, each]) => [key, fillJson(each as Json, resolve)] as const)
      .filter((pair): pair is [string, Json] => pair[1] !== undefined),
  );
}

/**
 * A value with its references filled in; undefined if it is only one reference to something not supplied.
 * @throws if a reference within a longer text has no value
 */
export function fill(value: string, resolve: Resolve): string | undefined {
  const parsed = json(value);
  if (parsed === undefined) {
    const text = fillText(value, resolve);
    return text === undefined ? undefined : asText(text);
  }
  const filled = fillJson(parsed, resolve);
  return filled === undefined ? undefined : JSON.stringify(filled);
}
