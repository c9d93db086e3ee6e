import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configCommand, configPath } from "../../components/configCommand.ts";
import { REGISTRIES, setNestedSecret } from "../../components/nestedSecrets.ts";
import { dockerConfig, type RegistryLogin, registryOf } from "../../components/registries.ts";
import type { Settings } from "../../components/settings.ts";
import { type Answer, askRegistry } from "../bootstrap/images/registry.ts";
import { Daemon } from "./daemon.ts";
import { UserError } from "./log.ts";
import { ownKeys } from "./stackFile.ts";
import type { Workspace } from "./workspace.ts";

type Logins = Readonly<Record<string, RegistryLogin>>;

/** The logins of a stack at registries, decrypted; none where its config names none. */
export async function registryLogins({ pulumi, stack }: Workspace): Promise<Logins> {
  const { stdout } = await pulumi(["config", "get", REGISTRIES, "--stack", stack]);
  return JSON.parse(stdout) as Logins;
}

/**
 * Runs work that is given a folder of Docker's client with the logins, for DOCKER_CONFIG. The folder is this user's alone, lies in
 * memory where the machine has such a place, and is gone afterwards.
 */
export async function withDockerConfig<T>(logins: Logins, work: (folder: string) => Promise<T>): Promise<T> {
  const memory = process.env.XDG_RUNTIME_DIR ?? "/dev/shm";
  const folder = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), "autollm-docker-"));
  try {
    writeFileSync(join(folder, "config.json"), dockerConfig(logins), { mode: 0o600 });
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is wrong with an image that the config names at a key, in one line; undefined where nothing is, as far as this machine sees. */
export function registryFault(
  key: string,
  reference: string,
  answer: Answer,
  login: Pick<RegistryLogin, "user"> | undefined,
  stack: string,
): string | undefined {
  const registry = registryOf(reference);
  // The daemon may reach a registry that this machine does not.
  if (answer === "there" || answer === "unknown") return undefined;
  if (answer === "missing") return `${key}: ${registry} has no such image: ${reference}`;
  const password = setNestedSecret([REGISTRIES, registry, "password"], stack);
  if (login !== undefined)
    return `${key}: ${registry} refuses ${login.user}: the password is wrong, or that account may not read ${reference}; set the password again: ${password}`;
  const user = configCommand(stack, `set --path '${configPath([REGISTRIES, registry, "user"])}' USER`);
  return `${key}: ${registry} wants a login for ${reference}; name one: ${user} and ${password}`;
}

/** The images that the config names: its own and the application's. The others come from public registries. */
function namedImages(settings: Settings) {
  const services = Object.entries(settings.release).map(
    ([service, entry]) => [`release.${service}.image`, entry?.image] as const,
  );
  const own = Object.values(ownKeys).map((key) => [`${key}.image`, settings[key].image] as const);
  const all = [...services, ...own];
  return all.flatMap(([key, image]) => (image === undefined ? [] : [{ key, image }]));
}

/**
 * Asks registries for the images that a stack names and its daemon lacks, before anything changes.
 * @throws UserError with a line for each image that is refused or is not there
 */
export async function checkRegistries(workspace: Workspace, settings: Settings): Promise<void> {
  const images = namedImages(settings);
  const daemon = Daemon.at(workspace.stack, settings);
  const has = async (image: string) =>
    (await daemon.run(["image", "inspect", "--format", "{{.Id}}", image], { allowFailure: true })).code === 0;
  const lacking: typeof images = [];
  for (const each of images) if (!(await has(each.image))) lacking.push(each);
  if (lacking.length === 0) return;
  const logins = await registryLogins(workspace);
  const faults = await Promise.all(
    lacking.map(async ({ key, image }) => {
      const login = logins[registryOf(image)];
      return registryFault(key, image, await askRegistry(image, login), login, workspace.stack);
    }),
  );
  const told = faults.filter((fault) => fault !== undefined);
  if (told.length > 0) throw new UserError(["images cannot be pulled:", ...told].join("\n  "));
}
