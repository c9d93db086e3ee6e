import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { run } from "../../../tools/lib/run.ts";
import { docker, segmentOf } from "./stack.ts";

/** A container as the network knows it. */
export interface Placed {
  readonly name: string;
  readonly pid: string;
  /** Its address by segment. */
  readonly addresses: Readonly<Record<string, string>>;
  /** TCP ports that it listens on, and the segments in which; none for one of its loopback. */
  readonly listens: readonly { readonly port: number; readonly segments: readonly string[] }[];
}

export interface Attempt {
  /** What the answer is called. */
  readonly label: string;
  readonly host: string;
  readonly port: number;
  /** How long silence is listened to; a way that should be there gets longer, so that a busy machine is no fault. */
  readonly seconds: number;
}

/** The program that runs in another network namespace: prints the labels of the attempts that were answered. */
const PROBE = `
const net = require("node:net");
let text = "";
process.stdin.on("data", (chunk) => (text += chunk)).on("end", async () => {
  const one = ({ label, host, port, seconds }) => new Promise((done) => {
    const socket = net.connect({ host, port });
    const end = (open) => { socket.destroy(); done(open ? [label] : []); };
    socket.setTimeout(seconds * 1000, () => end(false)).once("connect", () => end(true)).once("error", () => end(false));
  });
  console.log(JSON.stringify((await Promise.all(JSON.parse(text).map(one))).flat()));
});`;

/** Tries to connect from inside a network namespace, given as the words of the command that enters it. */
export async function answered(enter: readonly string[], attempts: readonly Attempt[]): Promise<string[]> {
  const [program = "", ...words] = [...enter, process.execPath, "--eval", PROBE];
  const { stdout } = await run(program, words, { input: JSON.stringify(attempts) });
  return JSON.parse(stdout) as string[];
}

/** Into a container's network, with this machine's programs: the image needs none. */
export const inside = ({ pid }: Placed): readonly string[] => ["nsenter", "--target", pid, "--net"];

/** The running containers of a stack. */
export async function placed(stack: string): Promise<Placed[]> {
  const ids = (await docker("ps", "--quiet", "--filter", `label=autollm.stack=${stack}`)).split("\n");
  const found = JSON.parse(await docker("inspect", ...ids)) as {
    State: { Pid: number };
    Config: { Labels: Record<string, string> };
    NetworkSettings: { Networks: Record<string, { IPAddress: string }> };
  }[];
  return Promise.all(
    found.map(async ({ State, Config, NetworkSettings }) => {
      const pid = String(State.Pid);
      const sockets = await run("nsenter", ["--target", pid, "--net", "ss", "--no-header", "-ltn"]);
      const addresses = Object.fromEntries(
        // Docker lists `none` as a network, too; it gives no address.
        Object.entries(NetworkSettings.Networks)
          .filter(([, { IPAddress }]) => IPAddress !== "")
          .map(([network, { IPAddress }]) => [segmentOf(network), IPAddress]),
      );
      const listens = new Map<number, Set<string>>();
      for (const line of sockets.stdout.trim().split("\n")) {
        const local = line.trim().split(/\s+/)[3] ?? "";
        // Docker's own resolver, which answers the container alone.
        if (local === "" || local.startsWith("127.0.0.11:")) continue;
        const [host, port] = [local.slice(0, local.lastIndexOf(":")), Number(local.slice(local.lastIndexOf(":") + 1))];
        const own = Object.keys(addresses).filter((segment) =>
          [addresses[segment], "0.0.0.0", "*", "[::]"].includes(host),
        );
        listens.set(port, new Set([...(listens.get(port) ?? []), ...own]));
      }
      return {
        name: Config.Labels["autollm.service"] ?? "",
        pid,
        addresses,
        listens: [...listens]
          .map(([port, segments]) => ({ port, segments: [...segments] }))
          .sort((a, b) => a.port - b.port),
      };
    }),
  );
}

/** Whether a container's network, made as the container's own says, has a loopback and no other interface. */
export async function loopbackOnly(container: string): Promise<boolean> {
  const format = "{{.Image}} {{.HostConfig.NetworkMode}} {{json .NetworkSettings.Networks}}";
  const [image = "", mode = "", ...networks] = (await docker("inspect", "--format", format, container)).split(" ");
  // The job itself ends at once; this is what it would find.
  const found = await docker("run", "--rm", "--network", mode, "--entrypoint", "cat", image, "/proc/net/dev");
  const interfaces = [...found.matchAll(/^\s*(\S+):/gm)].map(([, name]) => name);
  const joined = Object.keys(JSON.parse(networks.join(" ")) as object).filter((name) => name !== "none");
  return interfaces.join() === "lo" && joined.length === 0;
}

/** A network beyond the host, standing for the internet, with one listener. */
export interface Outside {
  readonly address: string;
  readonly port: number;
  /** Words of a command that enters it. */
  readonly enter: readonly string[];
  remove(): Promise<void>;
}

/** Makes a network behind a link of its own, in the range for benchmarks (RFC 2544), and listens there. */
export async function makeOutside(): Promise<Outside> {
  const id = randomInt(0, 16_384);
  const base = `198.18.${id >> 6}`;
  const near = `${base}.${(id & 63) * 4 + 1}`;
  const address = `${base}.${(id & 63) * 4 + 2}`;
  const name = `outside${id}`;
  const ip = (...words: readonly string[]) => run("ip", words);
  await ip("netns", "add", name);
  await ip("link", "add", `o${id}`, "type", "veth", "peer", "name", "eth0", "netns", name);
  await ip("addr", "add", `${near}/30`, "dev", `o${id}`);
  await ip("link", "set", `o${id}`, "up");
  await ip("-n", name, "addr", "add", `${address}/30`, "dev", "eth0");
  await ip("-n", name, "link", "set", "eth0", "up");
  await ip("-n", name, "link", "set", "lo", "up");
  await ip("-n", name, "route", "add", "default", "via", near);
  const port = 9;
  const enter = ["ip", "netns", "exec", name];
  const listening = `require("node:net").createServer((socket) => socket.end()).listen(${port}, "${address}", () => console.log("ready"))`;
  const [program = "", ...words] = [...enter, process.execPath, "--eval", listening];
  const listener = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    listener.stdout.once("data", () => resolve());
    listener.once("exit", () => reject(new Error("the listener outside ended")));
  });
  return {
    address,
    port,
    enter,
    async remove() {
      listener.kill();
      await ip("netns", "delete", name);
    },
  };
}
