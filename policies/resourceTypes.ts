import * as types from "./lib/types.ts";

/** Components consist of the resources listed below; they exist only in the state. */
export const OWN_COMPONENTS = /^autollm:[a-z]+:[A-Za-z]+$/;

/** The types of resources that the program uses. A resource of another type is one that no rule knows. */
export const RESOURCE_TYPES: readonly string[] = [
  types.STACK,
  types.DOCKER_PROVIDER,
  // Made by the engine for what names no provider.
  ...["command", "random", "tls"].map((name) => `pulumi:providers:${name}`),
  types.CONTAINER,
  types.REMOTE_IMAGE,
  types.NETWORK,
  types.VOLUME,
  "command:local:Command",
  "command:remote:Command",
  types.RANDOM_PASSWORD,
  types.RANDOM_BYTES,
  types.PRIVATE_KEY,
  types.CERT_REQUEST,
  types.SELF_SIGNED,
  types.LOCALLY_SIGNED,
];
