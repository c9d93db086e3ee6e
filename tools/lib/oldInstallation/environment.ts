import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { groups } from "../adoption.ts";
import { readEnvFile } from "../dotenv.ts";
import { UserError } from "../log.ts";
import { run, which } from "../run.ts";
import type { OldHost } from "./host.ts";

/** Decodes a file's text, byte for byte: a byte that is no UTF-8 would otherwise become another character. */
export function decoded(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UserError(`${path} is not UTF-8: save it as UTF-8, and look whether each value is still the old one`);
  }
}

/**
 * Decrypts a file of variables by sops, with the key of this machine.
 * @param name what it is called in messages
 */
export async function decrypted(path: string, name = path): Promise<string> {
  if ((await which("sops")) === undefined)
    throw new UserError(`${name} is encrypted, and sops is not installed: install it, or decrypt the file yourself`);
  const format = ["--input-type", "dotenv", "--output-type", "dotenv"];
  const { code, stdout } = await run("sops", ["--decrypt", ...format, path], { allowFailure: true });
  // What sops says of a failure may hold part of the file.
  if (code !== 0) throw new UserError(`sops could not decrypt ${name}: is its key here? Try: sops --decrypt ${name}`);
  return stdout;
}

/** Decrypts the content of a file of another place. sops opens its input by a path, so it is a file for a moment, encrypted as it is. */
async function decryptedCopy(bytes: Uint8Array, name: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "autollm-env-"));
  try {
    const path = join(folder, ".env.enc");
    writeFileSync(path, bytes, { mode: 0o600 });
    return await decrypted(path, name);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An installation's variables: the file's name, and its text in plain. */
export interface EnvironmentFile {
  readonly name: string;
  readonly text: string;
}

const NAMES = [".env", ".env.enc"] as const;

/** @throws UserError when there is none, or both, which may say different things */
export async function environmentFile(host: OldHost): Promise<EnvironmentFile> {
  const found: { name: string; bytes: Buffer }[] = [];
  for (const name of NAMES) {
    const bytes = await host.file(name);
    if (bytes !== undefined) found.push({ name, bytes });
  }
  const [file, other] = found;
  if (file === undefined) throw new UserError(`${host.name} has neither .env nor .env.enc`);
  if (other !== undefined)
    throw new UserError(`${host.name} has .env and .env.enc: move the one away that is not current`);
  if (file.name.endsWith(".enc"))
    return { name: file.name, text: await decryptedCopy(file.bytes, `${host.name}/${file.name}`) };
  return { name: file.name, text: decoded(file.bytes, file.name) };
}

/** The variables by name, those within groups by the name that they have by themselves. */
export function variablesOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { name, value } of readEnvFile(text).variables) {
    if (value === undefined) continue;
    found.set(name, value);
    const members = Object.hasOwn(groups, name) ? groups[name] : undefined;
    let object: unknown = {};
    try {
      object = members === undefined && name !== "RISK" ? {} : JSON.parse(value);
    } catch {
      // A group that is no JSON was not read by the old application either.
    }
    if (typeof object !== "object" || object === null) continue;
    for (const [member, content] of Object.entries(object))
      if (typeof content === "string" || typeof content === "number")
        found.set(members?.[member] ?? `${name}.${member}`, String(content));
  }
  return found;
}
