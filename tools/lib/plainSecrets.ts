import { parse } from "yaml";
import { isCredentialName } from "../../components/credentials/catalogue.ts";

/** A name that promises a secret, and those of our settings that only sound like it. */
const SECRET_NAME = /passw|passphrase|secret|token|api-?_?key|private-?_?key|credential|webhook/i;
const HARMLESS_NAMES = new Set(["privateKeyPath"]);
/** Settings that are as secret as a credential: this one repeats the account of ib-account. */
const SECRET_SETTINGS = new Set(["liveConfirm"]);
/** A value that is a secret whatever its name: PEM private keys, a URL with a login, tokens of known form. */
const SECRET_VALUE =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----|:\/\/[^/\s:@]+:[^/\s@]+@|\b(ghp|gho|ghs|github_pat|pul|sk|xox[abps])[-_][A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b|hooks\.slack\.com\/services\//;

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The forms in which Pulumi writes an encrypted value: by passphrase or key service, and by Pulumi Cloud. */
const CIPHERTEXT = /^(v\d+:[^:\s]+:\S+|[A-Za-z0-9+/]{20,}={0,2})$/;
const isEncrypted = (value: unknown): boolean =>
  isMap(value) && Object.keys(value).length === 1 && typeof value.secure === "string" && CIPHERTEXT.test(value.secure);

/** The paths in a stack's file whose value is a secret in plain text. The values themselves are never part of it. */
export function plainSecrets(text: string): readonly string[] {
  const file: unknown = parse(text);
  const found: string[] = [];
  const visit = (value: unknown, path: readonly string[], suspect: boolean): void => {
    if (isEncrypted(value)) return;
    if (Array.isArray(value)) {
      for (const [index, each] of value.entries()) visit(each, [...path, String(index)], suspect);
    } else if (isMap(value)) {
      for (const [key, each] of Object.entries(value)) {
        const name = key.replace(/^[^:]*:/, "");
        // Below `generation` and `overlap` the names are credentials' and the values are numbers and steps.
        const steers = path.includes("autollm:generation") || path.includes("autollm:overlap");
        const named = !steers && (isCredentialName(name) || SECRET_SETTINGS.has(name) || SECRET_NAME.test(name));
        visit(each, [...path, key], (suspect || named) && !HARMLESS_NAMES.has(name));
      }
    } else if (value !== null && value !== undefined && value !== "") {
      if (suspect || (typeof value === "string" && SECRET_VALUE.test(value))) found.push(path.join("."));
    }
  };
  if (isMap(file)) visit(file.config, ["config"], false);
  return found;
}
