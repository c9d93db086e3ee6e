import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { DEFAULT_RANGE } from "../../../components/networkRange.ts";
import { dockerDuration } from "../../../components/runtime/containerArgs.ts";
import { keyedDigest } from "../../../components/runtime/files.ts";
import { Segments } from "../../../components/runtime/segments.ts";
import type { Target } from "../../../components/runtime/target.ts";
import { joinTrees, Workload, workloadLabels } from "../../../components/runtime/workload.ts";
import type { WorkloadSpec } from "../../../components/runtime/workloadSpec.ts";
import { CONTAINER, record } from "../lib/mocks.ts";
import { randomText } from "../lib/values.ts";

const image = { id: `sha256:${"ab".repeat(32)}`, reference: "web:1@sha256:0123" };
const spec: WorkloadSpec = {
  image,
  command: ["/bin/web", "--port", "80"],
  user: "1000:1000",
  segments: ["grafana", "nats", "egress"],
  serves: ["grafana"],
  deploy: "rolling",
  memory: 64,
};

async function run(change: Partial<WorkloadSpec> = {}, where: Partial<Target> = {}) {
  const recording = await record(() => {
    const provider = new docker.Provider("docker", {});
    const target: Target = {
      docker: provider,
      dockerSocket: "unix:///none",
      filesDir: "/files",
      environment: "local",
      healthInterval: 30,
      labels: { stack: "s" },
      ...where,
    };
    const segments = new Segments("segments", { provider, range: DEFAULT_RANGE });
    return new Workload("web", {
      target,
      segments,
      digestKey: "00",
      workloads: new Map(),
      spec: { ...spec, ...change },
    });
  });
  return { inputs: recording.container("web"), resource: recording.find(CONTAINER, "web"), recording };
}

describe("a duration", () => {
  it.each([
    [0, "0s"],
    [30, "30s"],
    [59, "59s"],
    [60, "1m0s"],
    [90, "1m30s"],
    [120, "2m0s"],
  ])("of %d s is %s, as Docker writes it back", (seconds, text) => expect(dockerDuration(seconds)).toBe(text));
});

describe("file trees", () => {
  it("become folders of one directory, one a mount point", () => {
    const { tree, folders } = joinTrees({ "/etc/web": { "a.conf": "1", "d/b": "2" }, "/run/secrets": { token: "3" } });
    expect(tree).toEqual({ "etc-web/a.conf": "1", "etc-web/d/b": "2", "run-secrets/token": "3" });
    expect([...folders]).toEqual([
      ["/etc/web", "etc-web"],
      ["/run/secrets", "run-secrets"],
    ]);
  });

  it("may be none", () => expect(joinTrees({})).toEqual({ tree: {}, folders: new Map() }));
});

describe("a workload's labels", () => {
  const target = { labels: { "autollm.stack": "local" } } as unknown as Target;
  it("tell what it is, sorted so that they never differ by chance", () => {
    const labelled = {
      ...spec,
      segments: ["grafana", "nats"] as const,
      credentials: ["redis", "jwt"],
      labels: { more: "1" },
    };
    expect(workloadLabels("web", target, labelled)).toEqual({
      "autollm.stack": "local",
      "autollm.service": "web",
      "autollm.image": "web:1@sha256:0123",
      "autollm.deploy": "rolling",
      "autollm.segments": "grafana,nats",
      "autollm.credentials": "jwt,redis",
      more: "1",
    });
  });

  it("cannot be faked by a spec", () => {
    const labels = { "autollm.service": "caddy", "autollm.credentials": "" };
    expect(workloadLabels("web", target, { ...spec, credentials: ["jwt"], labels })).toMatchObject({
      "autollm.service": "web",
      "autollm.credentials": "jwt",
    });
  });
});

describe("a workload", () => {
  it("is hardened without asking for it", async () => {
    const { inputs } = await run();
    expect(inputs).toMatchObject({
      capabilities: { drops: ["ALL"], adds: [] },
      securityOpts: ["no-new-privileges:true"],
      readOnly: true,
      privileged: false,
      init: true,
      user: "1000:1000",
      memory: 64,
      memorySwap: 64,
      cpuShares: 1024,
      logDriver: "json-file",
      logOpts: { "max-size": "10m", "max-file": "3", labels: "autollm.service,autollm.stack" },
      ports: [],
      mounts: [],
      tmpfs: {},
      envs: [],
    });
  });

  it("runs its command without the image's entry point, by the image's id", async () => {
    const { inputs } = await run();
    expect(inputs).toMatchObject({ image: image.id, entrypoints: ["/bin/web"], command: ["--port", "80"] });
  });

  it("has no name of its own, and is reached by its alias where it serves alone", async () => {
    const { inputs } = await run();
    expect(inputs.name).toBeUndefined();
    expect(inputs.networksAdvanced).toEqual([
      { name: "segment-grafana-0123abc", aliases: ["web", "web.grafana"] },
      { name: "segment-nats-0123abc", aliases: ["web.nats"] },
      { name: "segment-egress-0123abc", aliases: [] },
    ]);
  });

  it("without a segment has no network at all, not Docker's default one", async () => {
    expect((await run()).inputs.networkMode).toBe("bridge");
    const { inputs } = await run({ segments: [] });
    expect(inputs).toMatchObject({ networkMode: "none", networksAdvanced: [] });
  });

  it("is asked for its health every 30 s, and an up waits until it can serve", async () => {
    const { inputs } = await run({ health: ["/bin/web", "ready"], startPeriod: 90 });
    expect(inputs).toMatchObject({ wait: true, waitTimeout: 180, restart: "unless-stopped" });
    expect(inputs.healthcheck).toEqual({
      tests: ["CMD", "/bin/web", "ready"],
      interval: "30s",
      timeout: "5s",
      retries: 2,
      startPeriod: "1m30s",
    });
  });

  it("is asked as often as its target says, and is unhealthy after the same time", async () => {
    const { inputs } = await run({ health: ["/bin/web", "ready"] }, { healthInterval: 5 });
    expect(inputs.healthcheck).toMatchObject({ interval: "5s", retries: 12 });
  });

  it("is made and not started on a held target, and is the same in all else", async () => {
    const [started, held] = [(await run()).inputs, (await run({}, { held: true })).inputs];
    expect(held).toEqual({ ...started, start: false, mustRun: false });
  });

  it("that is a batch job is made ready and not started", async () => {
    const { inputs } = await run({ deploy: "on-demand" });
    expect(inputs).toMatchObject({ restart: "no", start: false, mustRun: false });
    expect(inputs.wait).toBeUndefined();
  });

  it.each([
    ["rolling", false],
    ["recreate", true],
    ["on-demand", false],
  ] as const)("that says %s: the old one goes first: %s", async (deploy, first) => {
    const { resource } = await run({ deploy });
    expect(resource.deleteBeforeReplace).toBe(first);
    expect(resource.replaceOnChanges).toEqual(["*"]);
  });

  it("mounts files read-only, and waits until they are written", async () => {
    const { inputs, resource, recording } = await run({ files: { "/etc/web": { "a.conf": "1" } } });
    expect(inputs.mounts).toHaveLength(1);
    expect(inputs.mounts?.[0]).toMatchObject({ type: "bind", target: "/etc/web", readOnly: true });
    expect(inputs.mounts?.[0]?.source).toMatch(/^\/files\/web-files-[0-9a-f]{16}\/etc-web$/);
    expect(resource.dependsOn).toContain(recording.find("command:local:Command", "web-files").urn);
  });

  it("has its hot-reloaded files loaded only by a container of its networks: one of other networks is about to be replaced", async () => {
    const { recording } = await run({ live: { files: { "a.conf": "1" }, reload: ["true"] } });
    const { create } = recording.find("command:local:Command", "web-live-files").inputs;
    expect(create).toContain("--filter 'label=autollm.segments=egress,grafana,nats'");
  });

  it("mounts volumes to write, host directories to read, and memory that runs nothing", async () => {
    const { inputs } = await run({
      volumes: [
        { name: "data", path: "/data", noCopy: false },
        { name: "given", path: "/given", noCopy: true },
      ],
      hostMounts: [{ source: "/sys", path: "/host/sys" }],
      tmpfs: { "/tmp": 2 },
    });
    expect(inputs.mounts).toEqual([
      { type: "volume", source: "data", target: "/data" },
      { type: "volume", source: "given", target: "/given", volumeOptions: { noCopy: true } },
      { type: "bind", source: "/sys", target: "/host/sys", readOnly: true },
    ]);
    expect(inputs.tmpfs).toEqual({ "/tmp": "rw,noexec,nosuid,nodev,size=2097152,mode=1777" });
  });

  it("keeps a secret file's value out of everything that Docker shows", async () => {
    const value = randomText(32);
    const { inputs, resource } = await run({ files: { "/run/secrets": { token: pulumi.secret(value) } } });
    expect(JSON.stringify(inputs)).not.toContain(value);
    expect([...resource.secretInputs]).toEqual([]);
  });

  it("sorts its environment, so that it never differs by chance", async () => {
    expect((await run({ environment: { B: "2", A: "1" } })).inputs.envs).toEqual(["A=1", "B=2"]);
  });
});

describe("a claim", () => {
  /** What the claim was told of the container, and the container. */
  async function claiming(change: Partial<WorkloadSpec> = {}) {
    let told: pulumi.Output<string> | undefined;
    const { inputs, resource } = await run({
      ...change,
      environment: { TZ: "UTC", ...change.environment },
      claim: (digest, opts) => {
        told = digest;
        return { environment: { TOKEN: "1a2b" }, claimed: new docker.Volume("claimed", {}, opts) };
      },
    });
    const digest = await new Promise<string>((done) => told?.apply(done));
    return { digest, inputs, resource };
  }

  it("comes before the container, which is told of it", async () => {
    const { inputs, resource } = await claiming();
    expect(inputs.envs).toEqual(["TOKEN=1a2b", "TZ=UTC"]);
    expect(resource.dependsOn.some((urn) => urn.endsWith("::claimed"))).toBe(true);
  });

  it("is another one for whatever makes another container, the workload's own constants among it", async () => {
    const { digest, inputs } = await claiming();
    expect((await claiming()).digest).toBe(digest);
    expect((await claiming({ memory: 65 })).digest).not.toBe(digest);
    expect((await claiming({ environment: { MORE: "1" } })).digest).not.toBe(digest);
    // All that the container is made of, but for the claim itself.
    const sorted = (value: object) => Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
    const whole = JSON.parse(JSON.stringify({ ...inputs, envs: ["TZ=UTC"] }), (_, value: unknown) =>
      typeof value === "object" && value !== null && !Array.isArray(value) ? sorted(value) : value,
    ) as object;
    expect(digest).toBe(keyedDigest("00", JSON.stringify(whole)));
  });
});
