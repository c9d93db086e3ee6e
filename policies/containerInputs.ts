/** The values that an input of a container may have: any, since it does no harm or its own rule judges it, or only these. */
export type Allowed = "any" | readonly (string | number | boolean)[];

/**
 * The inputs of a container that the program sets, or that the provider adds by itself. Every other one is refused: the rules
 * know what these do, and a container that needs another needs a rule for it first.
 */
export const CONTAINER_INPUTS: Readonly<Record<string, Allowed>> = {
  // Judged by their own rules.
  capabilities: "any",
  command: "any",
  cpuQuota: "any",
  cpuShares: "any",
  cpus: "any",
  entrypoints: "any",
  envs: "any",
  groupAdds: "any",
  healthcheck: "any",
  image: "any",
  ipcMode: "any",
  labels: "any",
  logDriver: "any",
  logOpts: "any",
  memory: "any",
  memorySwap: "any",
  mounts: "any",
  networkMode: "any",
  networksAdvanced: "any",
  pidMode: "any",
  ports: "any",
  privileged: "any",
  publishAllPorts: "any",
  readOnly: "any",
  restart: "any",
  securityOpts: "any",
  tmpfs: "any",
  user: "any",
  usernsMode: "any",
  cgroupnsMode: "any",
  // Harmless with any value.
  containerReadRefreshTimeoutMilliseconds: "any",
  destroyGraceSeconds: "any",
  hostname: "any",
  init: "any",
  mustRun: "any",
  name: "any",
  removeVolumes: "any",
  start: "any",
  stopTimeout: "any",
  wait: "any",
  waitTimeout: "any",
  // The daemon's own, which is the only one that the host sets up.
  runtime: ["runc"],
};
