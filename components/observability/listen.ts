import { hostsOf, type PartName, portOf } from "../parts.ts";

/** Options of Prometheus's programs: where they listen. */
export const listensAt = (name: PartName): string[] =>
  hostsOf(name).map((host) => `--web.listen-address=${host}:${portOf(name)}`);
