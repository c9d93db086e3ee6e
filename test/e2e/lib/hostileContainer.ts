import { randomBytes } from "node:crypto";
import { run } from "../../../tools/lib/run.ts";
import type { Outside, Placed } from "./reach.ts";
import { docker, segmentOf, type TestStack } from "./stack.ts";

/** Tried of the host and of each container besides what somebody listens on: SSH, DNS, HTTP, SMB, Docker, etcd, VNC, Kubernetes. */
const WELL_KNOWN = [22, 53, 80, 443, 445, 2375, 2376, 2379, 5900, 6443, 8000, 10250];
const LAST_PORT = 10_000;
/** Seconds: for an answer, and for the sweep over all ports of a segment, in an order of chance. */
const ANSWER = 2;
const SWEEP = 5;

/** Asked of the container: where it connects, what it sweeps, and the names that it resolves. */
interface Task {
  readonly attempts: readonly { readonly label: string; readonly host: string; readonly port: number }[];
  readonly sweep: readonly { readonly label: string; readonly host: string }[];
  readonly names: readonly string[];
}

/** What it found: labels, `label:port`, and names. */
interface Found {
  readonly open: string[];
  readonly swept: string[];
  readonly names: string[];
}

/** The program that runs in the hostile container: it has what the image of a service has, and no capability. */
const PROBE = `
const net = require("node:net"), dns = require("node:dns");
let text = "";
process.stdin.on("data", (chunk) => (text += chunk)).on("end", async () => {
  const { attempts, sweep, names } = JSON.parse(text);
  const connects = (host, port) => new Promise((done) => {
    const socket = net.connect({ host, port });
    const end = (open) => { socket.destroy(); done(open); };
    socket.setTimeout(${ANSWER * 1000}, () => end(false)).once("connect", () => end(true)).once("error", () => end(false));
  });
  const open = (await Promise.all(attempts.map(async ({ label, host, port }) => (await connects(host, port) ? [label] : [])))).flat();
  const pairs = sweep.flatMap(({ label, host }) => Array.from({ length: ${LAST_PORT} }, (_, index) => [label, host, index + 1]));
  for (let last = pairs.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [pairs[last], pairs[other]] = [pairs[other], pairs[last]];
  }
  const swept = [], until = Date.now() + ${SWEEP * 1000};
  const walk = async () => {
    for (let pair = pairs.pop(); pair !== undefined && Date.now() < until; pair = pairs.pop())
      if (await connects(pair[1], pair[2])) swept.push(pair[0] + ":" + pair[2]);
  };
  await Promise.all(Array.from({ length: 200 }, walk));
  const resolver = new dns.promises.Resolver({ timeout: ${ANSWER * 1000}, tries: 1 });
  const known = (await Promise.all(names.map((name) => resolver.resolve4(name).then(() => [name], () => [])))).flat();
  console.log(JSON.stringify({ open, swept, names: known }));
});`;

/** A container that somebody else runs in one of the stack's segments, with the image of a service and without any right. */
export interface Hostile {
  /** `workload:port` of what answered, of every address and port of every container, and of the ports that nobody declares. */
  scan(containers: readonly Placed[]): Promise<string[]>;
  /** The names that Docker's resolver knows here. */
  resolves(names: readonly string[]): Promise<string[]>;
  /** Ports of the host that answer at the network's gateway though the host does not listen on all of its addresses there. */
  scanHost(): Promise<number[]>;
  /** What answers beyond the host, and at the address of a cloud's metadata service. */
  beyond(outside: Outside): Promise<string[]>;
  remove(): Promise<void>;
}

/** The TCP ports on which this machine listens on all addresses, or on one. */
async function hostPorts(address: string): Promise<ReadonlySet<number>> {
  const { stdout } = await run("ss", ["--no-header", "-ltn"]);
  const local = stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/)[3] ?? "");
  const answering = local.filter((each) => /^(0\.0\.0\.0|\*|\[::\]):/.test(each) || each.startsWith(`${address}:`));
  return new Set(answering.map((each) => Number(each.slice(each.lastIndexOf(":") + 1))));
}

/** Starts a hostile container in a segment of a stack. */
export async function hostileIn(stack: TestStack, segment: string): Promise<Hostile> {
  const filter = `label=autollm.stack=${stack.name}`;
  const networks = (await docker("network", "ls", "--filter", filter, "--format", "{{.Name}}")).split("\n");
  const network = networks.find((each) => segmentOf(each) === segment);
  if (network === undefined) throw new Error(`the stack has no segment ${segment}`);
  const gateway = await docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network);
  const image = await docker("inspect", "--format", "{{.Image}}", await stack.container("news-ingestor"));
  const name = `hostile-${randomBytes(4).toString("hex")}`;
  const hardened = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only", "--user", "20999:20999"];
  await docker(
    ...["run", "--detach", "--rm", "--init", "--name", name, "--network", network, ...hardened],
    ...["--entrypoint", "node", image, "-e", "setInterval(() => {}, 1e9)"],
  );
  const found = async (task: Partial<Task>): Promise<Found> => {
    const input = JSON.stringify({ attempts: [], sweep: [], names: [], ...task });
    const { stdout } = await run("docker", ["exec", "--interactive", name, "node", "-e", PROBE], { input });
    return JSON.parse(stdout) as Found;
  };
  return {
    async scan(containers) {
      const ports = new Set([...containers.flatMap(({ listens }) => listens.map(({ port }) => port)), ...WELL_KNOWN]);
      const attempts = containers.flatMap((to) =>
        Object.entries(to.addresses).flatMap(([place, host]) => {
          const tried = place === segment ? [...ports] : to.listens.map(({ port }) => port);
          return [...new Set(tried)].map((port) => ({ label: `${to.name}:${port}`, host, port }));
        }),
      );
      const sweep = containers.flatMap(({ name: label, addresses }) => {
        const host = addresses[segment];
        return host === undefined ? [] : [{ label, host }];
      });
      const { open, swept } = await found({ attempts, sweep });
      return [...new Set([...open, ...swept])].sort();
    },
    resolves: async (names) => (await found({ names })).names.sort(),
    async scanHost() {
      const before = await hostPorts(gateway);
      const listening = [...before, ...WELL_KNOWN, ...Array.from({ length: 1024 }, (_, index) => index + 1)];
      const attempts = [...new Set(listening)].map((port) => ({ label: String(port), host: gateway, port }));
      const { open } = await found({ attempts });
      const after = await hostPorts(gateway);
      return open.map(Number).filter((port) => !before.has(port) && !after.has(port));
    },
    async beyond({ address, port }) {
      const attempts = [
        { label: "outside", host: address, port },
        { label: "metadata", host: "169.254.169.254", port: 80 },
      ];
      return (await found({ attempts })).open;
    },
    remove: async () => {
      await docker("rm", "--force", name);
    },
  };
}
