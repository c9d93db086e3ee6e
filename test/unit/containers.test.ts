import { beforeAll, describe, expect, it } from "vitest";
import { services } from "../../components/platform/catalogue.ts";
import { waived } from "../../policies/waivers.ts";
import type { ContainerInputs, Recorded, Recording } from "./lib/mocks.ts";
import { runPlatform } from "./lib/platform.ts";

let platform: Recording;
let containers: readonly (readonly [string, ContainerInputs, Recorded])[];
beforeAll(async () => {
  platform = await runPlatform();
  containers = platform.containers;
});

/** Which containers break a rule, by name. */
const breakers = (broken: (inputs: ContainerInputs, name: string) => boolean) =>
  containers.filter(([name, inputs]) => broken(inputs, name)).map(([name]) => name);
const labelOf = ({ labels }: ContainerInputs, wanted: string) =>
  labels?.find(({ label }) => label === wanted)?.value ?? "";

describe("every container of the platform", () => {
  it("exists: each service, and the components", () => {
    const names = containers.map(([name]) => name);
    const parts = ["postgres", "redis", "nats", "ib-gateway", "prometheus", "grafana", "caddy"];
    expect(names).toEqual(expect.arrayContaining([...Object.keys(services), ...parts]));
  });

  it("drops all capabilities, and keeps only what is waived", () => {
    expect(breakers(({ capabilities }) => capabilities?.drops?.join() !== "ALL")).toEqual([]);
    const kept = containers.flatMap(([name, { capabilities }]) =>
      (capabilities?.adds ?? []).map((capability) => [name, capability] as const),
    );
    for (const [name, capability] of kept) {
      expect(waived("container-capabilities-dropped", name, capability), `${name} ${capability}`).toBe(true);
    }
  });

  it("can gain no privileges", () => {
    expect(breakers(({ securityOpts }) => securityOpts?.includes("no-new-privileges:true") !== true)).toEqual([]);
    expect(breakers(({ privileged }) => privileged !== false)).toEqual([]);
  });

  it("has a read-only root", () => expect(breakers(({ readOnly }) => readOnly !== true)).toEqual([]));

  it("runs as a numeric user, never as root unless that is waived", () => {
    expect(breakers(({ user }) => !/^\d+:\d+$/.test(user ?? ""))).toEqual([]);
    const root = breakers(({ user }, name) => /^0:/.test(user ?? "") && !waived("container-user-not-root", name, "0"));
    expect(root).toEqual([]);
  });

  it("has a limit of memory, and no swap on top of it", () => {
    expect(breakers(({ memory, memorySwap }) => !((memory ?? 0) >= 16) || memory !== memorySwap)).toEqual([]);
    const total = containers.reduce((sum, [, { memory }]) => sum + (memory ?? 0), 0);
    const largest = containers
      .map(([name, { memory = 0 }]) => ({ name, memory }))
      .sort((a, b) => b.memory - a.memory)
      .slice(0, 5)
      .map(({ name, memory }) => `${name} ${memory}`);
    expect(total, `MiB of all limits, on a host of 16 GiB; the largest: ${largest.join(", ")}`).toBeLessThanOrEqual(
      15 * 1024,
    );
  });

  it("writes logs that are rotated: 10 MB x 3", () => {
    expect(breakers(({ logDriver }) => logDriver !== "json-file")).toEqual([]);
    expect(breakers(({ logOpts }) => logOpts?.["max-size"] !== "10m" || logOpts?.["max-file"] !== "3")).toEqual([]);
  });

  it("comes back after a reboot, the batch job excepted", () => {
    expect(breakers(({ restart }) => restart !== "unless-stopped")).toEqual(["backtest-engine"]);
  });

  it("is asked for its health, in times that Docker writes back the same way; not the batch job", () => {
    expect(breakers(({ healthcheck }) => healthcheck?.tests?.[0] !== "CMD")).toEqual(["backtest-engine"]);
    const canonical = /^([1-9]\d*m)?([0-5]?\d)s$/;
    for (const [name, { healthcheck }] of containers.filter(([, inputs]) => inputs.healthcheck !== undefined)) {
      for (const time of [healthcheck?.interval, healthcheck?.timeout, healthcheck?.startPeriod]) {
        expect(time, name).toMatch(canonical);
      }
    }
  });

  it("publishes no port, but the edge's", () => {
    expect(breakers(({ ports }) => (ports ?? []).length > 0)).toEqual(["edge-sockets"]);
    expect(platform.container("edge-sockets").ports).toEqual([
      { internal: 8080, external: 8080, ip: "127.0.0.1", protocol: "tcp" },
      { internal: 8443, external: 8443, ip: "127.0.0.1", protocol: "tcp" },
      { internal: 8443, external: 8443, ip: "127.0.0.1", protocol: "udp" },
    ]);
  });

  it("runs an image by its id, so that a rebuilt tag is no surprise", () => {
    expect(breakers(({ image }) => !/^sha256:[0-9a-f]{64}$/.test(image ?? ""))).toEqual([]);
    expect(breakers((inputs) => labelOf(inputs, "autollm.image") === "")).toEqual([]);
  });

  it("names its whole command line", () => {
    expect(breakers(({ entrypoints }) => entrypoints?.length !== 1 || entrypoints[0] === "")).toEqual([]);
  });

  it("joins the segments in its label", () => {
    for (const [name, inputs] of containers) {
      const joined = (inputs.networksAdvanced ?? []).map(({ name: network }) =>
        network.replace(/^segment-(.+)-0123abc$/, "$1"),
      );
      expect(joined.sort().join(","), name).toBe(labelOf(inputs, "autollm.segments"));
    }
  });

  it("has a way to the internet only if it needs one", () => {
    const out = breakers((inputs) => /egress/.test(labelOf(inputs, "autollm.segments")));
    const callers = Object.entries(services).filter(([, { egress }]) => egress);
    expect(out.filter((name) => name in services).sort()).toEqual(callers.map(([name]) => name).sort());
    for (const name of ["postgres", "redis", "nats", "prometheus", "grafana"]) expect(out).not.toContain(name);
  });

  it("never sees Docker's socket, nor the host's namespaces", () => {
    expect(breakers(({ mounts }) => (mounts ?? []).some(({ source }) => /docker\.sock/.test(source ?? "")))).toEqual(
      [],
    );
    expect(breakers(({ networkMode, ipcMode }) => networkMode === "host" || ipcMode === "host")).toEqual([]);
    const shared = breakers(
      ({ pidMode }, name) => pidMode === "host" && !waived("container-namespaces-own", name, "pidMode"),
    );
    expect(shared).toEqual([]);
  });

  it("writes to volumes and memory alone: every other mount is read-only", () => {
    const open = (inputs: ContainerInputs) =>
      (inputs.mounts ?? []).some(({ type, readOnly }) => type !== "volume" && readOnly !== true);
    expect(breakers(open)).toEqual([]);
    for (const [name, { tmpfs }] of containers) {
      for (const options of Object.values(tmpfs ?? {})) expect(options, name).toMatch(/noexec,nosuid,nodev,size=\d+/);
    }
  });

  it("is never two at a time, where two would corrupt a volume", () => {
    const unsafe = containers.filter(
      ([, { mounts }, { deleteBeforeReplace }]) =>
        !deleteBeforeReplace && (mounts ?? []).some(({ type }) => type === "volume"),
    );
    // Caddy's storage is made to be shared by several.
    expect(unsafe.map(([name]) => name)).toEqual(["backtest-engine", "caddy"]);
  });

  it("is a new one after any change, since the provider applies some changes incompletely", () => {
    expect(containers.filter(([, , { replaceOnChanges }]) => replaceOnChanges.join() !== "*")).toEqual([]);
  });
});

describe("images", () => {
  const IMAGE = "docker:index/remoteImage:RemoteImage";
  it("are brought to the daemon once each, and stay there", () => {
    const names = platform.ofType(IMAGE).map(({ inputs }) => inputs.name);
    expect(new Set(names).size).toBe(names.length);
    for (const { inputs } of platform.ofType(IMAGE)) expect(inputs.keepLocally).toBe(true);
  });

  it("give a volume to their user where the image would not", () => {
    const owned = platform.ofType("command:local:Command").filter(({ name }) => /-owner-\d+$/.test(name));
    const given = owned.map(({ name, inputs }) => {
      const user = /chown (\d+:\d+) \/volume'$/.exec(String(inputs.create))?.[1];
      return [name.replace(/-owner-\d+$/, ""), user];
    });
    const volumes = containers.flatMap(([name, { mounts, user }]) =>
      (mounts ?? [])
        .filter(({ type, readOnly }) => type === "volume" && readOnly !== true)
        .map(({ source }) => [name, (source ?? "").replace(/-0123abc$/, ""), user] as const),
    );
    // Postgres's image brings its own, and root's need not be given; a guard has its workload's.
    const needed = volumes.filter(
      ([name]) => !["postgres", "log-collector", "edge-sockets"].includes(name) && !name.endsWith("-guard"),
    );
    expect(given.sort()).toEqual(needed.map(([, volume, user]) => [volume, user]).sort());
    for (const { inputs, ignoreChanges } of owned) {
      expect(inputs.create).toContain("--network none --user 0:0 --read-only --cap-drop ALL --cap-add CHOWN --cap-add");
      expect(ignoreChanges).toEqual(["create"]);
    }
  });
});
