import { KINDS, keeping } from "../interrupted.ts";
import type { Deployment, StateResource } from "../state.ts";
import type { VolumePair } from "./copy.ts";

const nameOf = (urn: string) => urn.split("::").at(-1) ?? urn;

/** Commands of this machine's that touch no host: they keep when a credential was made, and until when a former one counts. */
const OF_CREDENTIALS = /autollm:credentials:/;

/** Whether a resource lies on the host, and is lost with it. Credentials, keys and components lie in the state alone. */
export function isOnHost({ urn, type }: Pick<StateResource, "urn" | "type">): boolean {
  if (type.startsWith("command:local:")) return !OF_CREDENTIALS.test(urn);
  return type.startsWith("docker:") || type.startsWith("command:") || type === "pulumi:providers:docker";
}

/** The state without what lies on the host, so that an update makes all of that on another one, with the same credentials. */
export function withoutHost(deployment: Deployment): Deployment {
  const { pending_operations: _, ...rest } = keeping(deployment, (resource) => !isOnHost(resource));
  return rest;
}

/** Whether a state has something on the same host as another. */
export function sharesHost(one: Deployment, other: Deployment): boolean {
  const ids = new Set(onDaemon(other).map(({ id }) => id));
  return onDaemon(one).some(({ id }) => ids.has(id));
}

const onDaemon = ({ resources = [] }: Deployment) =>
  resources.filter(({ type, id }) => KINDS[type] !== undefined && id !== undefined);

/** What a container says otherwise that was not started. Its published ports are known of one that runs alone. */
const INPUTS = ["start", "mustRun", "__defaults"];
const OUTPUTS = ["start", "mustRun", "ports"];

const RAW_STATE = "__pulumi_raw_state_delta";

type Values = Readonly<Record<string, unknown>>;

/** The values with those of another one under some keys. */
function taking(keys: readonly string[], values: Values, from: Values): Values {
  const left = Object.entries(values).filter(([key]) => !keys.includes(key));
  const taken = keys.flatMap((key) => (Object.hasOwn(from, key) ? [[key, from[key]] as const] : []));
  return Object.fromEntries([...left, ...taken]);
}

/**
 * The state of the new host in which each container is said to be started as on the old one. The engine would replace each
 * container otherwise; the move starts them itself.
 */
export function asStarted(deployment: Deployment, before: Deployment): Deployment {
  const known = new Map((before.resources ?? []).map((resource) => [resource.urn, resource]));
  return {
    ...deployment,
    resources: (deployment.resources ?? []).map((resource) => {
      const was = known.get(resource.urn);
      if (KINDS[resource.type] !== "container" || was === undefined) return resource;
      const inputs = taking(INPUTS, (resource.inputs ?? {}) as Values, (was.inputs ?? {}) as Values);
      const taken = taking(OUTPUTS, resource.outputs ?? {}, was.outputs ?? {});
      // The plugin's own note of how the outputs are written: it refuses others with it, and does without it.
      const { [RAW_STATE]: _, ...outputs } = taken;
      return { ...resource, inputs, outputs };
    }),
  };
}

/** The volumes of the two hosts by their name in the program; `missing` are those that the new one lacks. */
export function volumePairs(from: Deployment, to: Deployment) {
  const volumes = ({ resources = [] }: Deployment) =>
    new Map(
      resources.flatMap(({ urn, type, id }) =>
        KINDS[type] === "volume" && id !== undefined ? [[nameOf(urn), id] as const] : [],
      ),
    );
  const there = volumes(to);
  const pairs: VolumePair[] = [];
  const missing: string[] = [];
  for (const [name, id] of volumes(from)) {
    const other = there.get(name);
    if (other === undefined) missing.push(name);
    else pairs.push({ name, from: id, to: other });
  }
  return { pairs, missing };
}
