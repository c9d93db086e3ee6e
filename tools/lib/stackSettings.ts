import { existsSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, checkConfig, type Settings } from "../../components/settings.ts";
import { StackFile, textOf } from "./stackFile.ts";
import type { Workspace } from "./workspace.ts";

/** A key of a stack's config. */
export interface ConfigEntry {
  /** The value as plain data; undefined if it is, or holds, a secret. */
  readonly value: unknown;
  /** The text that the program is given; undefined likewise. */
  readonly text: string | undefined;
  readonly secret: boolean;
}

export type ConfigEntries = Readonly<Record<string, ConfigEntry>>;

/** Whether a value of a stack's file is encrypted, or holds something that is. */
function isSecret(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "secure") || Object.values(value).some(isSecret);
}

function fromFile(file: StackFile): ConfigEntries {
  return Object.fromEntries(
    Object.entries(file.config()).map(([key, value]) => {
      const secret = isSecret(value);
      return [key, secret ? { value: undefined, text: undefined, secret } : { value, text: textOf(value), secret }];
    }),
  );
}

async function fromEngine(workspace: Workspace): Promise<ConfigEntries> {
  const { stdout } = await workspace.pulumi(["config", "--json", "--stack", workspace.stack]);
  const config = JSON.parse(stdout) as Record<string, { value?: string; objectValue?: unknown; secret: boolean }>;
  return Object.fromEntries(
    Object.entries(config).map(([key, { value, objectValue, secret }]) => [
      key,
      {
        value: objectValue ?? value,
        text: objectValue === undefined ? value : JSON.stringify(objectValue),
        secret: secret === true,
      },
    ]),
  );
}

/**
 * A stack's config by full key. Secrets are not decrypted. The stack's file is read directly, since a start of the engine takes a
 * third of a second or more; the engine is asked if the file takes settings from somewhere else (Pulumi ESC) or is not there.
 */
export async function configOf(workspace: Workspace): Promise<ConfigEntries> {
  const path = join(workspace.cwd, `Pulumi.${workspace.stack}.yaml`);
  const file = existsSync(path) ? new StackFile(path) : undefined;
  return file === undefined || file.importsEnvironments() ? fromEngine(workspace) : fromFile(file);
}

/**
 * A stack's settings, as the program would read them.
 * @throws ConfigError with all faults of the config
 */
export async function settingsOf(workspace: Workspace): Promise<Settings> {
  const entries = await configOf(workspace);
  const texts = Object.entries(entries).map(([key, { text }]) => [key, text] as const);
  const secret = Object.keys(entries).filter((key) => entries[key]?.secret === true);
  return checkConfig(Object.fromEntries(texts), new Set(secret), workspace.stack).settings;
}

/** As `settingsOf`; undefined if the config has faults, of which the program tells all. */
export async function readableSettings(workspace: Workspace): Promise<Settings | undefined> {
  try {
    return await settingsOf(workspace);
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
