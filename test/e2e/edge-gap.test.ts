import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { eventually, https, login } from "./lib/http.ts";
import { docker, segmentOf, type TestStack, testStack } from "./lib/stack.ts";

const NAME = "e2e-gap";
const protocols = ["h1", "h2", "h3"] as const;
type Protocol = (typeof protocols)[number];

/** What a client of test/e2e/edge-client tells. */
interface Came {
  readonly sent: number;
  readonly answered: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly connections: number;
  readonly slowestMs: number;
}

/** Each of two phases sends this many over each of three protocols: 10,800 together. */
const LEAST = 1800;
/** Seconds that an upload or an answer takes: the edge allows 10 and 60. */
const UPLOAD_SECONDS = 7;
const STREAM_SECONDS = 30;
const STREAM_BYTES = 300_000;

/** Stands in Jaeger's place: takes uploads, and answers for a long time. */
const UPSTREAM = `
require("node:http").createServer((request, response) => {
  let bytes = 0;
  request.on("data", (part) => { bytes += part.length; });
  request.on("end", () => {
    if (!request.url.startsWith("/jaeger/stream")) return response.end(String(bytes));
    response.setHeader("content-length", ${STREAM_BYTES});
    let left = ${STREAM_BYTES};
    const timer = setInterval(() => {
      const part = Math.min(left, ${STREAM_BYTES} / ${STREAM_SECONDS * 5});
      response.write("x".repeat(part));
      left -= part;
      if (left > 0) return;
      clearInterval(timer);
      response.end();
    }, 200);
    response.on("close", () => clearInterval(timer));
  });
}).listen(16686);`;

describe("the edge", () => {
  let stack: TestStack;
  let folder: string;
  let authorization: string;

  const ids = async (workload: string) =>
    (
      await docker(
        ...["ps", "--quiet", "--filter", `label=autollm.stack=${NAME}`],
        ...["--filter", `label=autollm.service=${workload}`],
      )
    ).split("\n");

  /** Starts a client, which goes on until it is told to stop. */
  function client(protocol: Protocol, path: string, ...args: readonly string[]): { stop(): Promise<Came> } {
    const child = spawn(
      join(folder, "edge-client"),
      [
        ...["-protocol", protocol, "-to", `127.0.0.1:${stack.httpsPort}`, "-url", `https://localhost${path}`],
        ...["-authorization", authorization, ...args],
      ],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const ended = new Promise<Came>((resolve, reject) => {
      child.on("error", reject).on("close", () => {
        try {
          resolve(JSON.parse(said) as Came);
        } catch {
          reject(new Error(`the client said ${JSON.stringify(said)}`));
        }
      });
    });
    return {
      stop: () => {
        child.stdin.end();
        return ended;
      },
    };
  }

  /** Everything at once, over each protocol, while something is done. */
  async function under(least: number, what: () => Promise<unknown>): Promise<Readonly<Record<string, Came>>> {
    const clients = protocols.flatMap((protocol) => [
      [`${protocol} requests`, client(protocol, "/health", "-rate", "40", "-least", String(least))] as const,
      [`${protocol} forwarded`, client(protocol, "/jaeger/x", "-rate", "5", "-workers", "1")] as const,
      [
        `${protocol} uploads`,
        client(protocol, "/jaeger/upload", "-upload", "400000", "-seconds", String(UPLOAD_SECONDS), "-workers", "2"),
      ] as const,
      // An answer that has begun cannot ask for another connection any more: a client that reads one for long makes a new one.
      [`${protocol} streams`, client(protocol, "/jaeger/stream", "-workers", "2", "-fresh", "1")] as const,
    ]);
    await new Promise((done) => setTimeout(done, 8000));
    let failure: unknown;
    await what().catch((error: unknown) => {
      failure = error;
    });
    await new Promise((done) => setTimeout(done, 5000));
    const came = await Promise.all(clients.map(async ([name, each]) => [name, await each.stop()] as const));
    if (failure !== undefined) throw failure;
    for (const [name, { sent, failed, connections, slowestMs }] of came)
      process.stdout.write(
        `${name}: ${sent} over ${connections} connections, slowest ${slowestMs} ms, ${JSON.stringify(failed)}\n`,
      );
    return Object.fromEntries(came);
  }

  const failures = (came: Readonly<Record<string, Came>>) =>
    Object.entries(came).flatMap(([name, { failed, answered }]) => [
      ...Object.entries(failed).map(([error, count]) => `${name}: ${count} ${error}`),
      ...Object.entries(answered).flatMap(([status, count]) =>
        status === "200" ? [] : [`${name}: ${count} ${status}`],
      ),
    ]);

  /** An image like the present one, and yet another: as a new version of Caddy is. */
  async function anotherImage(mark: string): Promise<string> {
    const [caddy = ""] = await ids("caddy");
    const present = await docker("inspect", "--format", '{{index .Config.Labels "autollm.image"}}', caddy);
    const tag = `autollm.local/caddy:${NAME}-${mark}`;
    await run("docker", ["build", "--quiet", "--tag", tag, "-"], {
      input: `FROM ${present}\nLABEL autollm.test=${mark}\n`,
      env: { DOCKER_BUILDKIT: "0" },
    });
    return tag;
  }

  /** Replaces Caddy's container by an ordinary update. */
  async function replace(mark: string): Promise<void> {
    const [former] = await ids("caddy");
    const [sockets] = await ids("edge-sockets");
    await stack.pulumi("config", "set", "--path", "autollm:localImages.caddy", await anotherImage(mark));
    await stack.pulumi("up", "--yes", "--suppress-outputs");
    const now = await ids("caddy");
    expect(now).toHaveLength(1);
    expect(now).not.toContain(former);
    expect(await ids("edge-sockets")).toEqual([sockets]);
  }

  async function answers(): Promise<void> {
    for (const protocol of protocols)
      await eventually(`an answer over ${protocol}`, 60, async () => {
        const { answered } = await client(protocol, "/health", "-workers", "1", "-least", "1").stop();
        return answered["200"] === undefined ? undefined : true;
      });
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), `${NAME}-client-`));
    await run("go", ["build", "-o", join(folder, "edge-client"), "."], {
      cwd: join(root, "test/e2e/edge-client"),
      env: { CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false" },
    });
    stack = await testStack(NAME);
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    authorization = login("admin", await stack.output("adminPassword")).authorization ?? "";
    const jaeger = await stack.container("jaeger");
    const networks = await docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", jaeger);
    const network = Object.keys(JSON.parse(networks) as object).find((each) => segmentOf(each) === "jaeger") ?? "";
    await docker("stop", jaeger);
    await docker(
      ...["run", "--detach", "--name", `${NAME}-upstream`, "--network", network, "--network-alias", "jaeger"],
      ...["--entrypoint", "node", await docker("inspect", "--format", "{{.Image}}", await stack.container("reporter"))],
      ...["-e", UPSTREAM],
    );
    await eventually("the upstream", 30, async () => {
      const { status } = await https(`${stack.url}/jaeger/x`, { headers: { authorization } });
      return status === 200 ? true : undefined;
    });
  });
  afterAll(async () => {
    await run("docker", ["rm", "--force", `${NAME}-upstream`], { allowFailure: true });
    await stack?.remove();
    const tags = (await docker("images", "--quiet", "--filter", "label=autollm.test")).split("\n").filter(Boolean);
    for (const tag of tags) await run("docker", ["rmi", "--force", tag], { allowFailure: true });
    rmSync(folder, { recursive: true, force: true });
  });

  let sent = 0;
  const count = (came: Readonly<Record<string, Came>>) => {
    for (const protocol of protocols) sent += came[`${protocol} requests`]?.sent ?? 0;
  };

  test("is replaced without a failed request, over HTTP/1.1, 2 and 3, with uploads and answers under way", async () => {
    const came = await under(LEAST, () => replace("first"));
    count(came);
    expect(failures(came)).toEqual([]);
    for (const protocol of protocols) {
      expect(came[`${protocol} uploads`]?.sent).toBeGreaterThan(4);
      expect(came[`${protocol} streams`]?.sent).toBeGreaterThan(1);
    }
  });

  test("knows a client by its own address", async () => {
    const address = await stack.address("edge-sockets", "public");
    await https(`https://${address}:8443/health?whose=own`, { headers: { host: "localhost" } }).catch(() => undefined);
    await https(`${stack.url}/health?whose=own`);
    const seen = await eventually("the request in the log", 20, async () => {
      const lines = await docker("logs", "--tail", "200", await stack.container("caddy"));
      const line = lines.split("\n").find((each) => each.includes("whose=own"));
      return line === undefined ? undefined : (JSON.parse(line) as { request: { remote_ip: string } });
    });
    // The host, as the network of the published ports knows it.
    expect(seen.request.remote_ip.split(".").slice(0, 3)).toEqual(address.split(".").slice(0, 3));
  });

  test("answers again when the containers were restarted, in whatever order they start", async () => {
    const caddy = await stack.container("caddy");
    const sockets = await stack.container("edge-sockets");
    await docker("restart", sockets);
    await answers();
    await docker("restart", "--time", "1", caddy);
    await answers();
    await docker("stop", "--time", "1", caddy, sockets);
    await docker("start", caddy);
    await new Promise((done) => setTimeout(done, 3000));
    await docker("start", sockets);
    await answers();
    await docker("kill", sockets);
    await docker("start", sockets);
    await answers();
  });

  test("refuses no connection while Caddy alone is restarted: who comes has to wait", async () => {
    const clients = (["h1", "h2"] as const).map((protocol) =>
      client(protocol, "/health", "-rate", "10", "-fresh", "1", "-workers", "2"),
    );
    await new Promise((done) => setTimeout(done, 2000));
    await docker("restart", await stack.container("caddy"));
    await answers();
    for (const each of clients) {
      const came = await each.stop();
      // One that the former took in its last moment is cut, and a handshake fails that comes before the next has its certificates.
      expect(Object.keys(came.failed).filter((error) => error.includes("refused"))).toEqual([]);
      expect(Object.keys(came.answered)).toEqual(["200"]);
    }
  });

  test("is replaced without a failed request after that as well: of more than 10,000 none failed", async () => {
    const came = await under(LEAST, () => replace("second"));
    count(came);
    expect(failures(came)).toEqual([]);
    expect(sent).toBeGreaterThan(10_000);
  });

  test("takes another Caddyfile, and cuts nothing that is under way", async () => {
    const came = await under(0, async () => {
      await stack.pulumi("config", "set", "--path", "autollm:trustedProxies[0]", "203.0.113.7");
      const before = await ids("caddy");
      await stack.pulumi("up", "--yes", "--suppress-outputs");
      expect(await ids("caddy")).toEqual(before);
    });
    // HTTP/1.1 has no word for an idle connection that is closed: a request may cross that.
    expect(
      failures(came).filter((failure) => !/^h1 (requests|forwarded): \d+ (EOF|http: server closed idle)/.test(failure)),
    ).toEqual([]);
  });
});
