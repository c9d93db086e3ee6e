import { layers } from "../../components/strength/decode.ts";
import { isReference, isSecretName, isSecretUnder } from "../../components/strength/secretNames.ts";
import { type Assignment, assignments } from "./assignments.ts";
import { isGlued, takesPassword } from "./flags.ts";
import { isCredentialFile, isProgram, isScript, type PayloadFile, payloadFiles } from "./payload.ts";
import type { Subject } from "./rule.ts";
import { list, record, text, texts, type Value } from "./value.ts";

/** A text of a resource, and where it stands. */
export interface Place {
  /** `envs[2]`, `stdin file run-secrets/redis`. */
  readonly key: string;
  /** The name that the value stands under: the property's, or the label's or variable's. */
  readonly name: string;
  readonly text: string;
  /** The whole text is one secret. */
  readonly whole: boolean;
  /** It is a file's content, which only its readers see. */
  readonly file: boolean;
}

/** A secret's value in its place. */
export interface Candidate {
  readonly key: string;
  readonly name: string;
  readonly value: string;
  /** What hid it: `base64`, or nothing. */
  readonly via: string;
  /** It stands where only a secret stands. In a script it may also be a piece of the program. */
  readonly sure: boolean;
}

/** Properties that hold no text of the program's own: ids, digests, host paths. */
const SILENT = new Set(["image", "__provider", "archivePaths", "assetPaths"]);

/** Every text of a resource with its place; the files in a command's stdin one by one. */
export function places(subject: Subject): readonly Place[] {
  return Object.entries(subject.props).flatMap(([key, value]) => {
    if (SILENT.has(key)) return [];
    // The command's words are arguments of the program that the entry point names.
    return key === "command" ? ofList(key, key, list(value), texts(subject.props.entrypoints)) : walk(key, key, value);
  });
}

function walk(key: string, name: string, value: Value): Place[] {
  if (typeof value === "string") return ofText(key, name, value);
  if (Array.isArray(value)) return ofList(key, name, list(value));
  const { label, value: labelled, file, content, contentBase64 } = record(value);
  if (typeof file === "string") {
    const uploaded = text(content) ?? Buffer.from(text(contentBase64) ?? "", "base64").toString("utf8");
    return [ofFile(`${key} ${file}`, { path: file, content: uploaded })];
  }
  if (typeof label === "string" && typeof labelled === "string") {
    return walk(`${key} ${label}`, label, labelled);
  }
  return Object.entries(record(value)).flatMap(([part, inner]) => walk(`${key}.${part}`, part, inner));
}

function ofText(key: string, name: string, content: string): Place[] {
  const files = key === "stdin" ? payloadFiles(content) : undefined;
  if (files === undefined)
    return [{ key, name, text: content, whole: isSecretUnder(name, content), file: key === "stdin" }];
  return files.map((file) => ofFile(`stdin file ${file.path}`, file));
}

function ofFile(key: string, file: PayloadFile): Place {
  const name = file.path.split("/").at(-1) ?? file.path;
  return { key, name, text: file.content.replace(/\r?\n$/, ""), whole: isCredentialFile(file), file: true };
}

const VARIABLE = /^([A-Za-z_][\w.-]*)=([\s\S]*)$/;
/** A script among the arguments may begin with an assignment too; it has blanks. */
const ARGUMENT = /^([A-Za-z_][\w.-]*)=([^\s=]\S*)$/;

/** An argument that may be a password after a short flag, as a shell would write it: `mysql -pVALUE`, `curl -u USER:VALUE`. */
function flagged(words: readonly string[], before: string, element: string): string | undefined {
  const program = words.map(takesPassword).findLast((name) => name !== undefined);
  if (program === undefined) return undefined;
  if (isGlued(element)) return `${program} ${element}`;
  return /^-[A-Za-z]$/.test(before) ? `${program} ${before} ${element}` : undefined;
}

/** A list of variables, or of arguments, where a flag may stand before its value. */
function ofList(key: string, name: string, elements: readonly Value[], program: readonly string[] = []): Place[] {
  return elements.flatMap((element, index) => {
    const at = `${key}[${index}]`;
    if (typeof element !== "string") return walk(at, name, element);
    const before = text(elements[index - 1]) ?? "";
    const shown = flagged([...program, ...texts(elements.slice(0, index))], before, element);
    if (shown !== undefined) return [{ key: at, name, text: shown, whole: false, file: false }];
    const flag = /^--?([A-Za-z][\w-]*)$|^(requirepass|masterauth)$/.exec(before);
    const flagName = flag?.[1] ?? flag?.[2] ?? "";
    if (isSecretName(flagName)) return walk(`${at} after ${before}`, flagName, element);
    if (["a", "u", "user"].includes(flagName)) {
      // redis-cli -a value, curl -u user:value
      const shown = `redis-cli -${flagName} ${element}`;
      return [{ key: `${at} after ${before}`, name, text: shown, whole: false, file: false }];
    }
    const variable = (key === "envs" ? VARIABLE : ARGUMENT).exec(element);
    if (variable !== null) {
      const [, variableName = "", value = ""] = variable;
      return walk(`${at} ${variableName}`, variableName, value);
    }
    return [{ key: at, name, text: element, whole: false, file: false }];
  });
}

/** The password of `user:password`, where a name says that both stand there. */
function withoutLogin(name: string, value: string): string {
  return /(auth|creds?|credentials?)$/i.test(name) ? value.replace(/^[^\s:/]+[:/](?!\/)/, "") : value;
}

/** The secrets in a place: the whole of it, or what it assigns, also where an encoding hides that. */
export function candidates(place: Place): readonly Candidate[] {
  const { key, name, text: content } = place;
  // What has a structure of its own is read for what it assigns.
  const whole = place.whole && !/^\s*[[{]/.test(content);
  if (whole && (place.file || !isReference(name, content))) {
    return [{ key, name, value: withoutLogin(name, content), via: "", sure: true }];
  }
  if (place.file && isProgram(name)) return [];
  const found = (assigned: Assignment, via: string) => ({
    key: `${key} ${assigned.name}`,
    name: assigned.name,
    value: assigned.value,
    via,
    sure: assigned.explicit || !(place.file && isScript(name)),
  });
  return words(content)
    .flatMap((word) =>
      layers(word).flatMap((layer) =>
        layer.via === "" ? [] : assignments(layer.text).map((assigned) => found(assigned, layer.via)),
      ),
    )
    .concat(assignments(content).map((assigned) => found(assigned, "")));
}

/** The runs of a text that may be encoded, once each. */
export function words(content: string): readonly string[] {
  return [...new Set(content.match(/[A-Za-z0-9+/_%\\.-]{8,}={0,2}/g) ?? [])];
}
