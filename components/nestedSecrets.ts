import { z } from "zod";
import { configCommand, configPath } from "./configCommand.ts";

/** A secret that is a field of each entry of a setting; a credential has a key of its own instead. */
interface NestedSecret {
  readonly setting: string;
  readonly field: string;
  /** The file that the command reads it from; without one the command asks for it. */
  readonly file?: string;
}

/** The config key of the logins at registries, by address. */
export const REGISTRIES = "registries";

/** The config key of further host names, and of supplied certificates. */
export const DOMAINS = "domains";

/** Every secret inside of a setting. */
export const nestedSecrets: readonly NestedSecret[] = [
  { setting: REGISTRIES, field: "password" },
  { setting: DOMAINS, field: "key", file: "key.pem" },
];

const setCommand = ({ setting, field, file }: NestedSecret, entry: string, stack: string) => {
  const path = configPath([setting, entry, field]);
  return configCommand(stack, `set --secret --path '${path}'${file === undefined ? "" : ` < ${file}`}`);
};

/** The command that sets the nested secret at a path of the config; undefined if none is there. */
export function setNestedSecret(path: readonly PropertyKey[], stack: string): string | undefined {
  const [setting, entry, field] = path.map(String);
  const secret = nestedSecrets.find((each) => each.setting === setting && each.field === field);
  return secret === undefined || entry === undefined || path.length !== 3
    ? undefined
    : setCommand(secret, entry, stack);
}

/**
 * The faults of nested secrets that are not encrypted in the config.
 * @param raw the settings, not yet checked
 * @param isSecret whether a setting is stored encrypted
 */
export function plainNestedSecrets(
  raw: Readonly<Record<string, unknown>>,
  isSecret: (setting: string) => boolean,
  stack: string,
): readonly string[] {
  return nestedSecrets.flatMap((secret) => {
    const { setting, field } = secret;
    if (isSecret(setting)) return [];
    const entries = z.record(z.string(), z.looseObject({})).safeParse(raw[setting] ?? {}).data ?? {};
    return Object.entries(entries)
      .filter(([, entry]) => typeof entry[field] === "string")
      .map(
        ([name]) =>
          `${configPath([setting, name, field])}: is stored in plain text; set it with: ${setCommand(secret, name, stack)}`,
      );
  });
}
