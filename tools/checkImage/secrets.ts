import { SECRET_ENV_DIR, SECRET_FILES_DIR } from "../../components/credentials/delivery.ts";
import { payloadFiles } from "../../policies/lib/payload.ts";
import type { Plan } from "./plan.ts";

/** The least length of a value that is looked for: a shorter one stands in any text. */
const LEAST = 8;
const folderOf = (path: string) =>
  path
    .slice(1)
    .replaceAll("/", "-")
    .replace(/-(env|files)$/, "/$1");

/** The secret values that a service's container mounts, by the name of their file. */
export function secretsOf(plan: Plan, service: string): ReadonlyMap<string, string> {
  const files = payloadFiles(plan.scripts.get(`${service}-files`)?.stdin ?? "") ?? [];
  const folders = [folderOf(SECRET_ENV_DIR), folderOf(SECRET_FILES_DIR)];
  const secrets = new Map<string, string>();
  for (const { path, content } of files) {
    const folder = folders.find((each) => path.startsWith(`${each}/`));
    const value = content.trim();
    // Public halves may be shown, and a certificate is sent to everybody.
    if (folder === undefined || value.length < LEAST || /public|_ca\.pem$/.test(path)) continue;
    secrets.set(path.slice(folder.length + 1), value);
  }
  return secrets;
}

/** Lines without the values. */
export function hidden(secrets: ReadonlyMap<string, string>, lines: readonly string[]): string[] {
  return lines.map((line) => [...secrets.values()].reduce((text, value) => text.replaceAll(value, "***"), line));
}
