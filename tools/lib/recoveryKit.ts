import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parse } from "yaml";
import { UserError } from "./log.ts";
import { outputs, root, type Workspace, writePrivate } from "./workspace.ts";

/** What a stack's recovery needs that is not in its backups. */
export interface KitFacts {
  readonly stack: string;
  /** Opens the backups, and Postgres's log. */
  readonly backupKey: string;
  /** Opens the secrets of the config and of the state; undefined if a key service does. */
  readonly passphrase: string | undefined;
  /** The stack's config file, whose secrets are encrypted. */
  readonly config: string;
  /** The engine's export of the state, whose secrets are encrypted. */
  readonly state: string;
}

/** A file of the kit: its name, its content, and what it is for. */
interface KitFile {
  readonly name: string;
  readonly content: string;
  readonly purpose: string;
  /** Whether a kit whose file differs is of no use; another state is only older. */
  readonly vital: boolean;
}

const README = "README.txt";

/** The kit's files, besides its README. */
export function kitFiles({ stack, backupKey, passphrase, config, state }: KitFacts): readonly KitFile[] {
  return [
    { name: "backup-key", content: `${backupKey}\n`, purpose: "opens the backups and Postgres's log", vital: true },
    ...(passphrase === undefined
      ? []
      : [
          {
            ...{ name: "passphrase", content: `${passphrase}\n`, vital: true },
            purpose: `opens the secrets of the other two: PULUMI_CONFIG_PASSPHRASE_FILE`,
          },
        ]),
    { name: `Pulumi.${stack}.yaml`, content: config, purpose: "the stack's config, as in git", vital: true },
    {
      ...{ name: "stack.json", content: state, vital: false },
      purpose: "the engine's state: ./autollm pulumi stack import --file stack.json",
    },
  ];
}

function readme({ stack, passphrase }: KitFacts, files: readonly KitFile[], now: Date): string {
  return [
    `Recovery kit of the stack ${stack}, made ${now.toISOString()}.`,
    "",
    "With it, an attacker can read every backup and every secret of the stack. Keep it in a safe, away from the host, from the",
    "backups and from this repository. How it is used: docs/disaster.md in the repository.",
    "",
    ...files.map(({ name, purpose }) => `${name.padEnd(24)}${purpose}`),
    ...(passphrase === undefined
      ? ["", "The secrets are opened by a key service, which the config names: keep a login for it as well."]
      : []),
    "",
    `Whether it is still right: ./autollm recovery-kit --check FOLDER --stack ${stack}`,
    "",
  ].join("\n");
}

/** The passphrase by which the stack's secrets open; undefined for a stack with a key service. */
function passphraseOf({ local, cwd }: Workspace, config: string): string | undefined {
  if (local) return readFileSync(join(cwd, "passphrase"), "utf8").trim();
  const { secretsprovider } = (parse(config) ?? {}) as { secretsprovider?: string };
  if (secretsprovider !== undefined && !secretsprovider.startsWith("passphrase")) return undefined;
  const { PULUMI_CONFIG_PASSPHRASE: text, PULUMI_CONFIG_PASSPHRASE_FILE: file } = process.env;
  if (text !== undefined && text !== "") return text;
  if (file !== undefined && existsSync(file)) return readFileSync(file, "utf8").trim();
  throw new UserError("the stack's passphrase is unknown: set PULUMI_CONFIG_PASSPHRASE_FILE to the file that holds it");
}

/** What a stack's kit is made of now. */
export async function kitFacts(workspace: Workspace): Promise<KitFacts> {
  const { stack, cwd } = workspace;
  const { backupKey } = await outputs(workspace, true);
  if (typeof backupKey !== "string") throw new UserError(`the stack ${stack} has no backup-key: bring it up first`);
  const config = readFileSync(join(cwd, `Pulumi.${stack}.yaml`), "utf8");
  const { stdout: state } = await workspace.pulumi(["stack", "export", "--stack", stack]);
  return { stack, backupKey, passphrase: passphraseOf(workspace, config), config, state };
}

/**
 * Where a new kit may go.
 * @throws UserError for a folder with other files, or inside the clone, whose copies go elsewhere
 */
export function checkKitFolder(folder: string): void {
  const inClone = relative(root, resolve(folder));
  if (inClone === "" || !inClone.startsWith(".."))
    throw new UserError(`${folder} is inside the clone: name a folder elsewhere, such as on a medium for the safe`);
  if (!existsSync(folder)) return;
  const others = readdirSync(folder).filter((name) => name !== README && !isKitFile(name));
  if (others.length > 0)
    throw new UserError(`${folder} holds other files (${others.slice(0, 3).join(", ")}): name an empty folder`);
}

const isKitFile = (name: string) =>
  ["backup-key", "passphrase", "stack.json"].includes(name) || /^Pulumi\.[a-z0-9-]+\.yaml$/.test(name);

/** Writes a kit, for its owner alone to read. @returns the names of its files */
export function writeKit(folder: string, facts: KitFacts, now: Date): readonly string[] {
  const files = kitFiles(facts);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const { name, content } of [...files, { name: README, content: readme(facts, files, now) }])
    writePrivate(join(folder, name), content);
  return [...files.map(({ name }) => name), README];
}

export interface KitDifference {
  readonly file: string;
  readonly says: string;
  /** Whether a recovery with this kit would fail or lose settings. */
  readonly vital: boolean;
}

/** What differs between a kit and the stack. */
export function kitDifferences(folder: string, facts: KitFacts): readonly KitDifference[] {
  return kitFiles(facts).flatMap(({ name, content, vital }) => {
    const path = join(folder, name);
    if (!existsSync(path)) return [{ file: name, says: "is missing", vital: true }];
    if (readFileSync(path, "utf8").trim() === content.trim()) return [];
    return [
      {
        ...{ file: name, vital },
        says: vital ? "is not the stack's present one" : "is of an earlier update; each backup holds a newer one",
      },
    ];
  });
}
