import { ensureImages, registryReachable } from "../images/images.ts";
import { step } from "./log.ts";
import { setConfig, type Workspace } from "./workspace.ts";

/** The images that the stack runs, besides the services' own. */
const stackImages = [
  "postgres",
  "redis",
  "nats",
  "caddy",
  "prometheus",
  "alertmanager",
  "grafana",
  "jaeger",
  "otel-collector",
  "loki",
  "node-exporter",
  "postgres-exporter",
  "redis-exporter",
  "blackbox-exporter",
  "cadvisor",
  "reference",
  "backup",
] as const;

/** Our own programs' images, which no registry has. */
const ownImages = ["reference", "backup"] as const;

/** Finds out where images come from and, where that is here, builds them; writes both into the stack's config. */
export async function prepareImages(workspace: Workspace): Promise<void> {
  const registry = await registryReachable();
  const wanted = registry ? ownImages : stackImages;
  const tags = await step(
    registry
      ? "building the reference service's image and the backup's"
      : "building images, since no registry is in reach",
    "seconds when they are there, else some minutes",
    () => ensureImages(wanted),
  );
  await setConfig(workspace, {
    imageSource: registry ? "registry" : "local",
    ...Object.fromEntries(Object.entries(tags).map(([name, tag]) => [`localImages.${name}`, tag])),
  });
}
