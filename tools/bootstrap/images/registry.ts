import { images } from "../../../components/images.ts";
import { type RegistryLogin, registryOf } from "../../../components/registries.ts";

const LIMIT_MS = 5000;
/** Where Docker Hub's images are. */
const HUB_HOST = "registry-1.docker.io";
/** The forms in which a registry may keep an image: unless it is asked for them it would look for the oldest one. */
const FORMS = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

type Headers = Readonly<Record<string, string>>;

const request = (url: string, headers: Headers = {}, method = "HEAD") =>
  fetch(url, { method, headers: { accept: FORMS, ...headers }, signal: AbortSignal.timeout(LIMIT_MS) });

/**
 * Whether images can be pulled here: asks the registry of the database's image for that image.
 * A registry that wants a login first (401) is reachable; a proxy that stands in its place and refuses (403, 5xx) is not.
 */
export async function registryReachable(reference: string = images.postgres.reference): Promise<boolean> {
  try {
    const response = await request(manifestUrl(reference));
    return response.ok || response.status === 401;
  } catch {
    return false;
  }
}

/** The parts of an image's name, by the rules that Docker reads it with. */
function partsOf(reference: string): {
  readonly registry: string;
  readonly repository: string;
  readonly version: string;
} {
  const registry = registryOf(reference);
  const [, path = "", tag = "latest", digest] = /^(.*?)(?::([^:/@]+))?(?:@(\S+))?$/.exec(reference) ?? [];
  const named = path.startsWith(`${registry}/`);
  const rest = named ? path.slice(registry.length + 1) : path;
  return { registry, repository: named || rest.includes("/") ? rest : `library/${rest}`, version: digest ?? tag };
}

/** Docker speaks to a registry on its own machine without TLS. */
const isLoopback = (host: string) => /^(127(\.\d+){3}|localhost|\[::1\])(:\d+)?$/.test(host);

/** The address of an image's manifest. */
export function manifestUrl(reference: string): string {
  const { registry, repository, version } = partsOf(reference);
  const host = registry === "docker.io" ? HUB_HOST : registry;
  return `${isLoopback(host) ? "http" : "https"}://${host}/v2/${repository}/manifests/${version}`;
}

/** What a registry says of an image. `unknown`: it did not answer from here, or with something that says nothing. */
export type Answer = "there" | "refused" | "missing" | "unknown";

/** The header for a registry that asked for a login; undefined where it, or its token server, refuses. */
async function authorization(challenge: string, repository: string, login: RegistryLogin | undefined) {
  const basic =
    login === undefined ? undefined : `Basic ${Buffer.from(`${login.user}:${login.password}`).toString("base64")}`;
  if (/^basic\b/i.test(challenge)) return basic;
  const { realm, service } = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  // A registry could otherwise have the password sent in plain text.
  if (url.protocol !== "https:" && !isLoopback(url.host)) return undefined;
  url.searchParams.set("scope", `repository:${repository}:pull`);
  if (service !== undefined) url.searchParams.set("service", service);
  const response = await request(url.href, basic === undefined ? {} : { authorization: basic }, "GET");
  if (!response.ok) return undefined;
  const { token, access_token: other } = (await response.json()) as { token?: string; access_token?: string };
  return `Bearer ${token ?? other ?? ""}`;
}

/** Asks a registry whether it has an image and lets this login have it, as Docker asks before it pulls. */
export async function askRegistry(reference: string, login: RegistryLogin | undefined): Promise<Answer> {
  const url = manifestUrl(reference);
  try {
    let { status, headers } = await request(url);
    if (status === 401) {
      const header = await authorization(headers.get("www-authenticate") ?? "", partsOf(reference).repository, login);
      if (header === undefined) return "refused";
      ({ status, headers } = await request(url, { authorization: header }));
    }
    if (status >= 200 && status < 300) return "there";
    if (status === 401 || status === 403) return "refused";
    return status === 404 ? "missing" : "unknown";
  } catch {
    return "unknown";
  }
}
