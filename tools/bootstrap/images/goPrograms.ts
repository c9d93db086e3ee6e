import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheDir } from "../../lib/cache.ts";
import { say, step, UserError } from "../../lib/log.ts";
import { run, which } from "../../lib/run.ts";
import { collectorManifest } from "./collector.ts";
import { keyOf } from "./dockerfile.ts";

/** A program that no Debian package has, built from public Go modules. */
export interface GoProgram {
  /** The module whose source is copied and built; none where the source is generated. */
  readonly module?: string;
  /** Files that are written into the source folder first. */
  readonly files?: Readonly<Record<string, string>>;
  /** Commands that run in the source folder, in turn. The last one builds. */
  readonly commands: readonly (readonly string[])[];
  /** Files and folders of the source folder that are kept. */
  readonly results: readonly string[];
  /** SQLite in Grafana needs a C compiler. */
  readonly cgo: boolean;
  /** Time of a first build on two cores. */
  readonly takes: string;
}

const build = (output: string, path: string, ...flags: string[]) =>
  ["go", "build", "-trimpath", ...flags, "-o", output, path] as const;

// The versions of the official images, where the module is published.
const CADDY = "v2.11.4";
const CADVISOR = "v0.60.5";
const NATS = "v2.12.15";
const COLLECTOR = "v0.158.0";
const LOKI = "v3.7.4";
const ALERTMANAGER = "v0.33.1";
const ALERTMANAGER_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Alertmanager</title>
<h1>Alertmanager</h1>
<p>This Alertmanager was built on this machine, without the pages of the official image. It works all the same:</p>
<ul>
<li><a href="../prometheus/alerts">the alerts, in Prometheus</a></li>
<li><a href="api/v2/alerts">the alerts that reached it</a></li>
<li><a href="api/v2/silences">its silences</a></li>
</ul>
`;
const NODE_EXPORTER = "v1.12.1";
const BLACKBOX_EXPORTER = "v0.28.0";
const REDIS_EXPORTER = "v1.88.0";
const RESTIC = "v0.18.1";
const RCLONE = "v1.75.1";
// Prometheus numbers its module otherwise: v0.313.1 is 3.13.1.
const PROMETHEUS = { module: "v0.313.1", version: "3.13.1" };
// The nearest ones that are published.
const GRAFANA = "v1.9.2-0.20230609164553-81d85ce8028d";
const JAEGER = "v1.76.0";
/** For tests: an S3 server that knows policies and versions. */
const VERSITYGW = "v1.8.0";
/** For tests: a current Docker, as it is released as a module, and the runc that it needs. */
const DOCKER = { module: "v2.0.0-beta.24", version: "29.0.0" };
const RUNC = "v1.5.3";

/** How Prometheus's programs are told their version. */
const prometheusVersion = (version: string) =>
  `-ldflags=-s -w -X github.com/prometheus/common/version.Version=${version.replace(/^v/, "")}`;

/** The files of a program of ours, from a folder beside this file. */
export function folder(name: string): Record<string, string> {
  const path = join(import.meta.dirname, name);
  return Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((file) => [file, readFileSync(join(path, file), "utf8")]),
  );
}

export const goPrograms = {
  caddy: {
    module: `github.com/caddyserver/caddy/v2@${CADDY}`,
    commands: [
      build("caddy", "./cmd/caddy", `-ldflags=-s -w -X github.com/caddyserver/caddy/v2.CustomVersion=${CADDY}`),
    ],
    results: ["caddy"],
    cgo: false,
    takes: "2 minutes",
  },
  nats: {
    module: `github.com/nats-io/nats-server/v2@${NATS}`,
    commands: [build("nats-server", ".", "-ldflags=-s -w")],
    results: ["nats-server"],
    cgo: false,
    takes: "a minute",
  },
  prometheus: {
    module: `github.com/prometheus/prometheus@${PROMETHEUS.module}`,
    files: folder("prometheus"),
    commands: [
      ["bash", "pages.sh"],
      ...["prometheus", "promtool"].map((program) =>
        build(
          program,
          `./cmd/${program}`,
          "-tags=builtinassets,remove_all_sd,enable_dns_sd",
          prometheusVersion(PROMETHEUS.version),
        ),
      ),
    ],
    results: ["prometheus", "promtool"],
    cgo: false,
    takes: "4 minutes",
  },
  alertmanager: {
    module: `github.com/prometheus/alertmanager@${ALERTMANAGER}`,
    // Its pages are written in Elm, whose packages are in no registry that is reachable.
    files: { "ui/app/dist/index.html": ALERTMANAGER_PAGE },
    commands: [
      // It serves what is compressed, and nothing else.
      ["gzip", "-9n", "ui/app/dist/index.html"],
      ...["alertmanager", "amtool"].map((program) =>
        build(program, `./cmd/${program}`, prometheusVersion(ALERTMANAGER)),
      ),
    ],
    results: ["alertmanager", "amtool"],
    cgo: false,
    takes: "a minute",
  },
  "node-exporter": {
    module: `github.com/prometheus/node_exporter@${NODE_EXPORTER}`,
    commands: [build("node_exporter", ".", prometheusVersion(NODE_EXPORTER))],
    results: ["node_exporter"],
    cgo: false,
    takes: "half a minute",
  },
  "blackbox-exporter": {
    module: `github.com/prometheus/blackbox_exporter@${BLACKBOX_EXPORTER}`,
    commands: [build("blackbox_exporter", ".", prometheusVersion(BLACKBOX_EXPORTER))],
    results: ["blackbox_exporter"],
    cgo: false,
    takes: "half a minute",
  },
  "redis-exporter": {
    module: `github.com/oliver006/redis_exporter@${REDIS_EXPORTER}`,
    commands: [build("redis_exporter", ".", `-ldflags=-s -w -X main.BuildVersion=${REDIS_EXPORTER}`)],
    results: ["redis_exporter"],
    cgo: false,
    takes: "half a minute",
  },
  restic: {
    module: `github.com/restic/restic@${RESTIC}`,
    commands: [build("restic", "./cmd/restic", "-ldflags=-s -w")],
    results: ["restic"],
    cgo: false,
    takes: "a minute",
  },
  rclone: {
    module: `github.com/rclone/rclone@${RCLONE}`,
    // A program of its own within the module, whose versions of other modules it uses.
    files: Object.fromEntries(Object.entries(folder("rclone")).map(([file, text]) => [`platform/${file}`, text])),
    commands: [build("rclone", "./platform", `-ldflags=-s -w -X github.com/rclone/rclone/fs.Version=${RCLONE}`)],
    results: ["rclone"],
    cgo: false,
    takes: "2 minutes",
  },
  grafana: {
    // Grafana 10.0: newer ones are not published as a module.
    module: `github.com/grafana/grafana@${GRAFANA}`,
    files: folder("grafana"),
    commands: [
      // Its first start fails where the clock's second changes at the wrong moment: the look-up of the main
      // organisation also compares the time of creation.
      [
        "sed",
        "--in-place",
        "s/AutoAssignOrgId).Get(&org)/AutoAssignOrgId).NoAutoCondition().Get(\\&org)/",
        "pkg/services/sqlstore/user.go",
      ],
      ["go", "run", "github.com/google/wire/cmd/wire@v0.7.0", "gen", "-tags", "oss", "./pkg/server"],
      build("grafana", "./pkg/cmd/grafana", "-ldflags=-s -w -X main.version=10.0.0"),
      ["bash", "pages.sh"],
    ],
    results: ["grafana", "conf", "public"],
    cgo: true,
    takes: "14 minutes",
  },
  "otel-collector": {
    files: { "builder.yaml": collectorManifest(COLLECTOR) },
    commands: [["go", "run", `go.opentelemetry.io/collector/cmd/builder@${COLLECTOR}`, "--config=builder.yaml"]],
    results: ["otelcol-contrib"],
    cgo: false,
    takes: "3 minutes",
  },
  cadvisor: {
    files: folder("cadvisor"),
    commands: [build("cadvisor", ".", `-ldflags=-s -w -X main.version=${CADVISOR}`)],
    results: ["cadvisor"],
    cgo: false,
    takes: "a minute",
  },
  "edge-sockets": {
    files: folder("../../../services/edge-sockets/src"),
    commands: [build("edge-sockets", ".", "-ldflags=-s -w")],
    results: ["edge-sockets"],
    cgo: false,
    takes: "half a minute",
  },
  jaeger: {
    module: `github.com/jaegertracing/jaeger@${JAEGER}`,
    commands: [
      build(
        "jaeger",
        "./cmd/jaeger",
        `-ldflags=-s -w -X github.com/jaegertracing/jaeger/internal/version.latestVersion=${JAEGER}`,
      ),
    ],
    results: ["jaeger"],
    cgo: false,
    takes: "8 minutes",
  },
  loki: {
    module: `github.com/grafana/loki/v3@${LOKI}`,
    commands: [
      // The module cannot see the folder that this directive points to; the published module is the same.
      ["go", "mod", "edit", "-dropreplace=github.com/grafana/loki/pkg/push"],
      build(
        "loki",
        "./cmd/loki",
        "-mod=mod",
        `-ldflags=-s -w -X github.com/grafana/loki/v3/pkg/util/build.Version=${LOKI}`,
      ),
    ],
    results: ["loki"],
    cgo: false,
    takes: "10 minutes",
  },
  "s3-server": {
    module: `github.com/versity/versitygw@${VERSITYGW}`,
    commands: [build("versitygw", "./cmd/versitygw", "-ldflags=-s -w")],
    results: ["versitygw"],
    cgo: false,
    takes: "3 minutes",
  },
  "docker-engine": {
    module: `github.com/moby/moby/v2@${DOCKER.module}`,
    commands: ["dockerd", "docker-proxy"].map((program) =>
      build(
        program,
        `./cmd/${program}`,
        "-mod=mod",
        "-tags=netgo osusergo exclude_graphdriver_btrfs",
        `-ldflags=-X github.com/moby/moby/v2/dockerversion.Version=${DOCKER.version}`,
      ),
    ),
    results: ["dockerd", "docker-proxy"],
    cgo: true,
    takes: "6 minutes",
  },
  // Needs Debian's libseccomp-dev and pkg-config.
  runc: {
    module: `github.com/opencontainers/runc@${RUNC}`,
    commands: [build("runc", ".", "-tags=seccomp")],
    results: ["runc"],
    cgo: true,
    takes: "a minute",
  },
} as const satisfies Record<string, GoProgram>;

export type GoProgramName = keyof typeof goPrograms;

export function goProgramKey(name: GoProgramName): string {
  return keyOf(JSON.stringify(goPrograms[name]));
}

/** Builds a program, once for each recipe, and answers the folder of its results. Compiled packages survive an interruption in Go's own cache. */
export async function buildGoProgram(name: GoProgramName): Promise<string> {
  const program: GoProgram = goPrograms[name];
  const built = join(cacheDir("images", "go"), `${name}-${goProgramKey(name)}`);
  if (existsSync(built)) return built;
  if ((await which("go")) === undefined) {
    throw new UserError(`${name} is built from source, as no registry is reachable: install Go 1.26 or newer`);
  }
  const source = cacheDir("images", "src", name);
  await step(
    `building ${name} from source`,
    `${program.takes} the first time, kept in ${cacheDir("images", "go")}`,
    async () => {
      rmSync(source, { recursive: true, force: true });
      mkdirSync(source);
      if (program.module !== undefined) await copyModule(program.module, source);
      for (const [file, text] of Object.entries(program.files ?? {})) {
        mkdirSync(dirname(join(source, file)), { recursive: true });
        writeFileSync(join(source, file), text);
      }
      const env = { CGO_ENABLED: program.cgo ? "1" : "0", GOFLAGS: "-buildvcs=false", GOWORK: "off" };
      for (const [command = "", ...args] of program.commands) {
        say(`    ${name}: ${command} ${args.slice(0, 2).join(" ")} ...`);
        await run(command, args, { cwd: source, env });
      }
      const part = `${built}.part`;
      rmSync(part, { recursive: true, force: true });
      mkdirSync(part);
      for (const result of program.results) renameSync(join(source, result), join(part, result));
      renameSync(part, built);
      rmSync(source, { recursive: true, force: true });
    },
  );
  return built;
}

/** Removes what was built by former recipes. */
export function pruneGoPrograms(): void {
  const dir = cacheDir("images", "go");
  const names = Object.keys(goPrograms) as GoProgramName[];
  const current = new Set(names.map((name) => `${name}-${goProgramKey(name)}`));
  for (const entry of readdirSync(dir)) {
    if (!current.has(entry)) rmSync(join(dir, entry), { recursive: true, force: true });
  }
}

/** Go keeps modules read-only and shared, so a build that changes files needs a copy. */
async function copyModule(module: string, target: string): Promise<void> {
  const { stdout } = await run("go", ["mod", "download", "-json", module]);
  const { Dir: dir } = JSON.parse(stdout) as { Dir: string };
  await run("cp", ["-R", "--no-preserve=mode,ownership", `${dir}/.`, target]);
}
