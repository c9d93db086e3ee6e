import { randomBytes, randomInt } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { filesDirectory } from "../../../components/filesDirectory.ts";
import type { SegmentName } from "../../../components/segments.ts";
import { type RunResult, run } from "../../../tools/lib/run.ts";
import { root } from "../../../tools/lib/workspace.ts";

/** A stack of a test's own: own name, state, passphrase, files and ports, beside whatever else runs on the machine. */
export interface TestStack {
  readonly name: string;
  /** The folder of its state and config. */
  readonly home: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly url: string;
  /** Runs one of the project's commands on the stack. A failure is returned, not thrown. */
  autollm(command: string, ...args: readonly string[]): Promise<RunResult>;
  /** Makes it without bringing it up, for its config. */
  init(): Promise<void>;
  /** Brings it up on ports of its own. A failure is returned, not thrown. */
  up(): Promise<RunResult>;
  /** Runs a Pulumi command on the stack. A failure throws. */
  pulumi(...args: readonly string[]): Promise<string>;
  output(name: string): Promise<string>;
  /** The Docker name of a workload's container. */
  container(workload: string): Promise<string>;
  /** The workload's address in one of its segments. */
  address(workload: string, segment: SegmentName): Promise<string>;
  /** Removes the stack and its folder. */
  remove(): Promise<RunResult>;
}

/**
 * A free port below the range from which the kernel serves outgoing connections (Linux: 32768 to 60999), as a port of
 * that range may be taken by any connection between the choice and its use.
 */
export async function freePort(): Promise<number> {
  const port = randomInt(20_000, 32_768);
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
  });
  if (!free) return freePort();
  await new Promise((done) => server.close(done));
  return port;
}

/** The segment of a Docker network, by its name. */
export const segmentOf = (network: string): string => network.replace(/^segment-(.+)-[0-9a-f]{7}$/, "$1");

export async function docker(...args: readonly string[]): Promise<string> {
  return (await run("docker", args)).stdout.trim();
}

/** This machine, as containers reach it: the first address of Docker's default network, which an older Docker does not name as its gateway. */
export async function hostAddress(): Promise<string> {
  const format = "{{with index .IPAM.Config 0}}{{.Gateway}}|{{.Subnet}}{{end}}";
  const [gateway = "", subnet = ""] = (await docker("network", "inspect", "--format", format, "bridge")).split("|");
  return gateway === "" ? subnet.replace(/\d+\/\d+$/, "1") : gateway;
}

/** What the daemon holds of a stack. */
export async function remains(stack: string): Promise<readonly (readonly [kind: string, name: string])[]> {
  const filter = ["--filter", `label=autollm.stack=${stack}`];
  const lists = await Promise.all([
    docker("ps", "--all", ...filter, "--format", "container {{.Names}}"),
    docker("volume", "ls", ...filter, "--format", "volume {{.Name}}"),
    docker("network", "ls", ...filter, "--format", "network {{.Name}}"),
  ]);
  return lists
    .flatMap((list) => list.split("\n"))
    .filter((line) => line !== "")
    .map((line) => line.split(" ") as [string, string]);
}

/** Removes the files that a stack's containers mounted, and its kill switch, which is beside them. */
function removeFiles(stack: string, home: string): void {
  const config = join(home, `Pulumi.${stack}.yaml`);
  const text = existsSync(config) ? readFileSync(config, "utf8") : "";
  const { "autollm:filesDir": files } = (parse(text) as { config?: Record<string, string> } | null)?.config ?? {};
  const former = filesDirectory({ environment: "local", filesDir: "", host: undefined }, stack);
  for (const folder of [former, ...(files === undefined ? [] : [files])])
    rmSync(folder, { recursive: true, force: true });
}

/** In a test stack's folder: who tests it. */
const OWNER = "test-run.json";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Removes what the daemon holds of a stack, and the files that its containers mount, as a lost disk would: the engine is not asked. */
async function removeByHand(stack: string, home: string): Promise<void> {
  const args = { container: ["rm", "--force", "--volumes"], volume: ["volume", "rm"], network: ["network", "rm"] };
  const all = await remains(stack);
  for (const kind of ["container", "volume", "network"] as const) {
    const names = all.filter(([each]) => each === kind).map(([, name]) => name);
    if (names.length > 0) await run("docker", [...args[kind], ...names], { allowFailure: true });
  }
  removeFiles(stack, home);
  rmSync(home, { recursive: true, force: true });
}

/** A host is lost with everything on it: containers, volumes, state, config and passphrase. */
export const destroyByHand = ({ name, home }: TestStack): Promise<void> => removeByHand(name, home);

/** Removes the stacks of test runs that were killed: they would take memory and time from each later run. */
async function removeAbandoned(): Promise<void> {
  for (const folder of readdirSync(tmpdir())) {
    if (!folder.startsWith("autollm-")) continue;
    const home = join(tmpdir(), folder);
    let owner: { readonly pid: number; readonly stack: string };
    try {
      owner = JSON.parse(readFileSync(join(home, OWNER), "utf8")) as typeof owner;
    } catch {
      continue;
    }
    if (isAlive(owner.pid)) continue;
    await removeByHand(owner.stack, home);
  }
}

/**
 * Prepares a stack; `up` is the test's first step. Its name ends in random characters, as another clone on the same
 * daemon may run the same test.
 */
export async function testStack(test: string): Promise<TestStack> {
  await removeAbandoned();
  const name = `${test}-${randomBytes(2).toString("hex")}`;
  const home = mkdtempSync(join(tmpdir(), `autollm-${name}-`));
  writeFileSync(join(home, OWNER), JSON.stringify({ pid: process.pid, stack: name }));
  const httpPort = await freePort();
  const httpsPort = await freePort();
  const env = { AUTOLLM_HOME: home, CI: "true", PULUMI_COLOR: "never", NO_COLOR: "1" };
  const autollm: TestStack["autollm"] = (command, ...args) =>
    run("./autollm", [command, ...args, "--stack", name], { cwd: root, env, allowFailure: true });
  const pulumi: TestStack["pulumi"] = async (...args) =>
    (await run("./autollm", ["pulumi", ...args, "--stack", name], { cwd: root, env })).stdout;
  const container: TestStack["container"] = (workload) =>
    docker(
      "ps",
      "--all",
      "--filter",
      `label=autollm.stack=${name}`,
      "--filter",
      `label=autollm.service=${workload}`,
      "--format",
      "{{.Names}}",
    );
  return {
    name,
    home,
    httpPort,
    httpsPort,
    url: `https://localhost:${httpsPort}`,
    autollm,
    init: async () => {
      await run("./autollm", ["pulumi", "stack", "init", name], { cwd: root, env });
    },
    up: () => autollm("up", "--http-port", String(httpPort), "--https-port", String(httpsPort)),
    pulumi,
    output: async (output) => (await pulumi("stack", "output", output, "--show-secrets")).trim(),
    container,
    address: async (workload, segment) => {
      const networks = JSON.parse(
        await docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", await container(workload)),
      ) as Record<string, { IPAddress: string }>;
      const found = Object.entries(networks).find(([network]) => segmentOf(network) === segment);
      if (found === undefined) throw new Error(`${workload} is not in the segment ${segment}`);
      return found[1].IPAddress;
    },
    remove: async () => {
      const result = await autollm("down");
      // A kill switch that a test left on would hold the next stack of this name.
      removeFiles(name, home);
      rmSync(home, { recursive: true, force: true });
      return result;
    },
  };
}
