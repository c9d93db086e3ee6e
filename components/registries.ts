import { isIPv6 } from "node:net";
import { z } from "zod";
import { weakness } from "./strength/weak.ts";

/** A login at an image registry. */
export interface RegistryLogin {
  readonly user: string;
  /** The registry's password or token. */
  readonly password: string;
}

/** The name under which Docker's client stores a login at Docker Hub, and the one under which both docker plugins look it up. */
const DOCKER_HUB = {
  name: "docker.io",
  inDockerConfig: "https://index.docker.io/v1/",
  inProvider: "registry-1.docker.io",
};
const HUB_NAMES = ["index.docker.io", "registry-1.docker.io", "hub.docker.com", "registry.hub.docker.com"];

/** What is wrong with a registry's address; undefined when it is one. An image's name begins with it, so it must be the same text. */
function addressFault(address: string): string | undefined {
  const bare = address
    .replace(/^[a-z]+:\/\//i, "")
    .replace(/\/.*$/, "")
    .toLowerCase();
  if (HUB_NAMES.includes(bare)) return `is Docker Hub: write ${DOCKER_HUB.name}`;
  if (bare !== address)
    return `must be written as its images' names begin, without a scheme or path and in lower case: ${bare}`;
  const [, host = "", port] = /^(\[[0-9a-f:]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(\d{1,5}))?$/.exec(address) ?? [];
  const named = host === "localhost" || host.includes(".") || port !== undefined || isIPv6(host.slice(1, -1));
  return named && Number(port ?? 1) <= 65_535
    ? undefined
    : "is not a registry's address, such as ghcr.io or registry.example.com:5000";
}

const text = (what: string) => z.string(what).trim().min(1, what);

/** `registries.ADDRESS` of the stack's config. The password is judged, and left out: the program takes it as a secret. */
const login = z
  .strictObject({
    user: text("is missing: name the account"),
    password: text("is missing: set the account's password or token"),
  })
  .superRefine(({ password }, context) => {
    const fault = password === "" ? undefined : weakness({ name: "registry-password", value: password });
    if (fault !== undefined) context.addIssue({ code: "custom", path: ["password"], message: fault });
  })
  .transform(({ user }) => ({ user }));

/** `registries` of the stack's config: the login by address. */
export const registriesSchema = z.record(
  z.string().superRefine((address, context) => {
    const message = addressFault(address);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  }),
  login,
);

/** The registry that an image's name names, by the rule of Docker's client. */
export function registryOf(reference: string): string {
  const [first = "", ...rest] = reference.split("/");
  return rest.length > 0 && /[.:]|^localhost$/.test(first) ? first : DOCKER_HUB.name;
}

/** The logins as the docker provider takes them. */
export function providerLogins(logins: Readonly<Record<string, RegistryLogin>>) {
  return Object.entries(logins).map(([address, { user, password }]) => ({
    address: address === DOCKER_HUB.name ? DOCKER_HUB.inProvider : address,
    username: user.trim(),
    password: password.trim(),
  }));
}

/** The logins as Docker's client, and each program that reads its file, takes them: the text of its config.json. */
export function dockerConfig(logins: Readonly<Record<string, RegistryLogin>>): string {
  const entry = ([address, { user, password }]: [string, RegistryLogin]) => [
    address === DOCKER_HUB.name ? DOCKER_HUB.inDockerConfig : address,
    { auth: Buffer.from(`${user.trim()}:${password.trim()}`).toString("base64") },
  ];
  return JSON.stringify({ auths: Object.fromEntries(Object.entries(logins).map(entry)) });
}
