import { images } from "../../components/images.ts";

const LIMIT_MS = 5000;

/**
 * Whether images can be pulled here: asks the registry of the database's image for that image.
 * A registry that wants a login first (401) is in reach; a proxy that stands in its place and refuses (403, 5xx) is not.
 */
export async function registryReachable(reference: string = images.postgres.reference): Promise<boolean> {
  try {
    const response = await fetch(manifestUrl(reference), { method: "HEAD", signal: AbortSignal.timeout(LIMIT_MS) });
    return response.ok || response.status === 401;
  } catch {
    return false;
  }
}

/** The address of an image's manifest, by the rules that Docker reads a reference with. */
export function manifestUrl(reference: string): string {
  const [, path = "", tag = "latest"] = /^(.*?)(?::([^:/]+))?$/.exec(reference) ?? [];
  const [first = "", ...rest] = path.split("/");
  const named = rest.length > 0 && /[.:]|^localhost$/.test(first);
  const host = named ? first : "registry-1.docker.io";
  const repository = named ? rest.join("/") : rest.length === 0 ? `library/${first}` : path;
  return `https://${host}/v2/${repository}/manifests/${tag}`;
}
