import { writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { stringify } from "yaml";
import { partImageNames } from "../../../components/images.ts";
import { type RunResult, run } from "../../../tools/lib/run.ts";
import { docker, type TestStack, testStack } from "../lib/stack.ts";
import { atConsole, removeHost, startHost, type TestHost } from "./host.ts";

/** Engine's glob for everything that sets the host up, and nothing of the platform. */
const HOST_ONLY = "**autollm:host:Host**";

/** A test host and a stack for it. */
export interface Stage {
  readonly host: TestHost;
  /** Its `url` leads to the host's Caddy. */
  readonly stack: TestStack;
  /** Writes the config for `setUp`; `change` is of its key `host`. */
  configure(change?: Readonly<Record<string, unknown>>): void;
  /** Writes the config for the whole platform. */
  configureAll(change?: Readonly<Record<string, unknown>>): void;
  /** `pulumi up` of the host alone, without the platform's containers. */
  setUp(): Promise<RunResult>;
  /** What `setUp` says when it fails, the tree of resources left out. */
  fault(): Promise<string>;
  /** A script's answer at the host's console, past sshd and firewall; a failure throws. */
  at(script: string): Promise<string>;
  /** Logs in over SSH with the pinned key. */
  login(user: string, key?: string, port?: number): Promise<RunResult>;
  /** A machine beside the host in its network, with an address of its own. */
  neighbour(script: string, ...options: readonly string[]): Promise<string>;
  remove(): Promise<void>;
}

/** Leads a port of the loopback to a host's Caddy, whose certificate is for localhost. */
export function leadTo(address: string, port: number): Server {
  return createServer((client) => {
    const server = connect(443, address);
    client.on("error", () => server.destroy()).on("close", () => server.destroy());
    server.on("error", () => client.destroy()).on("close", () => client.destroy());
    client.pipe(server).pipe(client);
  }).listen(port, "127.0.0.1");
}

export async function stage(name: string): Promise<Stage> {
  const host = await startHost(`autollm-${name}`);
  const stack = await testStack(name);
  const forward = leadTo(host.address, stack.httpsPort);
  const write = (change: Readonly<Record<string, unknown>> = {}, other: Readonly<Record<string, unknown>> = {}) => {
    const { address, hostKey, privateKeyPath } = host;
    const config = {
      "autollm:environment": "local",
      "autollm:bindAddress": "0.0.0.0",
      "autollm:httpPort": 80,
      "autollm:httpsPort": 443,
      "autollm:host": { address, hostKey, privateKeyPath, ...change },
      ...other,
    };
    writeFileSync(join(stack.home, `Pulumi.${stack.name}.yaml`), stringify({ config }), { mode: 0o600 });
  };
  const at: Stage["at"] = async (script) => {
    const { code, stdout, stderr } = await atConsole(host.container, script);
    if (code !== 0) throw new Error(`at the host's console: exit code ${code}: ${stderr}${stdout}`);
    return stdout.trim();
  };
  const setUp: Stage["setUp"] = () =>
    stack.autollm("pulumi", "up", "--yes", "--skip-preview", "--suppress-outputs", "--target", HOST_ONLY);
  write();
  await stack.pulumi("stack", "select", "--create");
  return {
    host,
    stack,
    at,
    setUp,
    // The program wants to know the images that it makes no container of here.
    configure: (change) => write(change, unusedImages()),
    configureAll: (change) => write(change),
    fault: async () => {
      const { code, stdout, stderr } = await setUp();
      if (code === 0) throw new Error("it went through");
      const all = stdout + stderr;
      return all.slice(Math.max(0, all.indexOf("Diagnostics:")));
    },
    login: (user, key = host.privateKeyPath, port = 22) =>
      run(
        "ssh",
        ["-i", key, "-p", String(port), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
          .concat("-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=none")
          .concat("-o", `KnownHostsCommand=/bin/echo %H ${host.hostKey}`, "-o", "HostKeyAlgorithms=ssh-ed25519")
          .concat("-o", "ConnectTimeout=5", `${user}@${host.address}`, "id"),
        { allowFailure: true },
      ),
    neighbour: async (script, ...options) => {
      const image = await docker("inspect", "--format", "{{.Image}}", host.container);
      return docker("run", "--rm", "--network", host.container, ...options, image, "bash", "-c", script);
    },
    remove: async () => {
      forward.close();
      await stack.remove();
      await removeHost(host.container);
    },
  };
}

/** Images that nothing is made of, as the config names them. */
export function unusedImages(): Record<string, unknown> {
  const names = partImageNames;
  return {
    "autollm:imageSource": "local",
    "autollm:localImages": Object.fromEntries(names.map((name) => [name, `autollm.local/${name}:unused`])),
  };
}
