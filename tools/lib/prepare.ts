import { join } from "node:path";
import { ownImageNames, type PartImage } from "../../components/images.ts";
import { partNames, parts } from "../../components/parts.ts";
import { isLocalImageName, type LocalImageName } from "../bootstrap/images/catalogue.ts";
import { ensureImages, ensureOwnImages, registryReachable } from "../bootstrap/images/images.ts";
import { Daemon } from "./daemon.ts";
import { step } from "./log.ts";
import { startsWithChecks } from "./preflight.ts";
import { StackFile } from "./stackFile.ts";
import { readableSettings } from "./stackSettings.ts";
import { setConfig, type Workspace } from "./workspace.ts";

/** The images of the stack that can be built here, the services' first. */
const stackImages = [...new Set([...ownImageNames, ...partNames.map((name) => parts[name].image)])].filter(
  (name): name is PartImage & LocalImageName => isLocalImageName(name),
);

/** The images of a stack on this machine, besides those that it pulls by itself. */
export interface StackImages {
  /** Where the stack gets its images. */
  readonly source: "registry" | "local";
  /** Tags of those that were built here, by name. */
  readonly built: Readonly<Record<string, string>>;
}

/** Finds out where images come from, and builds here what comes from nowhere else. */
export async function buildStackImages(): Promise<StackImages> {
  const registry = await registryReachable();
  const built = await step(
    registry ? "building the images of our own programs" : "building images, since no registry is reachable",
    "seconds if they exist already, else some minutes",
    (): Promise<Record<string, string>> => (registry ? ensureOwnImages() : ensureImages(stackImages)),
  );
  return { source: registry ? "registry" : "local", built };
}

/** Builds the images that a stack needs, and writes into its config where each comes from. */
export async function prepareImages(workspace: Workspace): Promise<void> {
  const { source, built } = await buildStackImages();
  await setConfig(workspace, {
    imageSource: source,
    ...Object.fromEntries(Object.entries(built).map(([name, tag]) => [`localImages.${name}`, tag])),
  });
}

/** Seconds between two health checks where Docker checks no sooner while a container starts, and an `up` would wait for each. */
const SHORT_INTERVAL = 5;

/** Writes into a stack's config how often an older Docker checks its containers' health, unless that is said already. */
export async function prepareHealthChecks(workspace: Workspace): Promise<void> {
  const settings = await readableSettings(workspace);
  if (settings === undefined || settings.host !== undefined) return;
  if (new StackFile(join(workspace.cwd, `Pulumi.${workspace.stack}.yaml`)).text("healthInterval") !== undefined) return;
  const daemon = Daemon.at(workspace.stack, settings);
  const api = await daemon.ask("version", "--format", "{{.Server.APIVersion}}");
  if (!startsWithChecks(api)) await setConfig(workspace, { healthInterval: String(SHORT_INTERVAL) });
}
