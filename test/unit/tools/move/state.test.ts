import { describe, expect, it } from "vitest";
import { asStarted, isOnHost, sharesHost, volumePairs, withoutHost } from "../../../../tools/lib/move/state.ts";
import type { Deployment, StateResource } from "../../../../tools/lib/state.ts";

const urn = (types: string, name: string) => `urn:pulumi:production::autollm::${types}::${name}`;
const resource = (types: string, name: string, more: Partial<StateResource> = {}): StateResource => ({
  urn: urn(types, name),
  type: types.split("$").at(-1) ?? types,
  ...more,
});

const password = resource("autollm:credentials:Credentials$random:index/randomPassword:RandomPassword", "redis", {
  id: "none",
});
const key = resource("autollm:credentials:NatsTls$tls:index/privateKey:PrivateKey", "nats-ca-key");
const ages = resource("autollm:credentials:CredentialAges$command:local:Command", "credential-ages", { id: "a1" });
const step = resource("autollm:host:Host$command:local:Command", "host-ssh", { id: "s1" });
const files = resource("autollm:runtime:Files$command:remote:Command", "redis-files", { id: "f1" });
const provider = resource("pulumi:providers:docker", "docker", { id: "p1" });
const volume = (id: string) =>
  resource("autollm:runtime:StatefulVolume$docker:index/volume:Volume", "redis-data", { id });
const container = (id: string, start: boolean): StateResource =>
  resource("autollm:runtime:Workload$docker:index/container:Container", "redis", {
    id,
    dependencies: [password.urn, files.urn],
    propertyDependencies: { envs: [password.urn], mounts: [files.urn] },
    inputs: start
      ? { name: "redis", ...{ start: true, mustRun: true, wait: true, __defaults: ["mustRun", "start"] } }
      : { name: "redis", ...{ start: false, mustRun: false, wait: true, __defaults: [] } },
    outputs: { start, mustRun: start, wait: true, image: "i", ...(start ? { ports: [{ external: 80 }] } : {}) },
  });

const former: Deployment = {
  resources: [password, key, ages, provider, step, files, volume("redis-data-1"), container("c1", true)],
  pending_operations: [],
};

describe("the state of a stack that moves", () => {
  it("keeps what lies on no host, and when each credential was made", () => {
    expect(former.resources?.filter((each) => !isOnHost(each))).toEqual([password, key, ages]);
    const left = withoutHost({ ...former, pending_operations: [{ type: "creating", resource: files }] });
    expect(left.resources?.map(({ urn: each }) => each)).toEqual([password.urn, key.urn, ages.urn]);
    expect(left).not.toHaveProperty("pending_operations");
  });

  it("is told from the new host's, which has not one of its containers or volumes", () => {
    expect(sharesHost(former, former)).toBe(true);
    expect(sharesHost(withoutHost(former), former)).toBe(false);
    expect(sharesHost({ resources: [volume("redis-data-2"), container("c2", false)] }, former)).toBe(false);
  });

  it("says of each container of the new host what the old one's says of its start, and nothing else", () => {
    const made = { resources: [password, files, volume("redis-data-2"), container("c2", false)] };
    const { resources = [] } = asStarted(made, former);
    expect(resources.slice(0, 3)).toEqual(made.resources.slice(0, 3));
    expect(resources[3]).toEqual({ ...container("c1", true), id: "c2" });
  });

  it("pairs the volumes by their names in the program, and names those that the new host lacks", () => {
    const pair = { name: "redis-data", from: "redis-data-1", to: "redis-data-2" };
    expect(volumePairs(former, { resources: [volume("redis-data-2")] })).toEqual({ pairs: [pair], missing: [] });
    expect(volumePairs(former, { resources: [] })).toEqual({ pairs: [], missing: ["redis-data"] });
  });
});
