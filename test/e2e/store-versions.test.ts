import { randomBytes } from "node:crypto";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { buildsDebian } from "../../tools/bootstrap/images/base.ts";
import { ensureImages } from "../../tools/bootstrap/images/images.ts";
import { run } from "../../tools/lib/run.ts";
import { debianStore } from "./lib/debianStore.ts";
import { eventually } from "./lib/http.ts";
import { docker } from "./lib/stack.ts";

/**
 * What docs/backup.md says of other versions of the stores, as far as this machine can get them: the platform's local images, and
 * older and newer ones from Debian's releases.
 */
describe.skipIf(!buildsDebian())("another version of", () => {
  const name = `autollm-versions-${randomBytes(4).toString("hex")}`;
  let images: Record<"redis" | "nats" | "prometheus", string>;

  beforeAll(async () => {
    images = await ensureImages(["redis", "nats", "prometheus"]);
  });
  const clear = async () => {
    await run("docker", ["rm", "--force", name], { allowFailure: true });
  };
  afterEach(async () => {
    await clear();
    await run("docker", ["volume", "rm", "--force", name], { allowFailure: true });
  });
  afterAll(clear);

  /** Runs a server of an image on the volume, in place of the one before. */
  async function start(image: string, program: string, args: readonly string[], options: readonly string[] = []) {
    await run("docker", ["stop", "--time", "20", name], { allowFailure: true });
    await clear();
    const where = ["--volume", `${name}:/data`, "--user", "0:0", "--workdir", "/data", ...options];
    await docker("run", "--detach", "--init", "--name", name, ...where, "--entrypoint", program, image, ...args);
  }
  /** What a program in the container says once it succeeds; or the server's last words when it has ended. */
  const answer = (...command: readonly string[]) =>
    eventually(command.join(" "), 60, async () => {
      const { code, stdout } = await run("docker", ["exec", name, ...command], { allowFailure: true });
      if (code === 0 && stdout.trim() !== "") return stdout.trim();
      if ((await docker("inspect", "--format", "{{.State.Running}}", name)) === "true") return undefined;
      const { stdout: said, stderr } = await run("docker", ["logs", name]);
      return `ended: ${said}${stderr}`;
    });

  test("Redis reads what an older one wrote; an older one refuses what a newer one wrote, and harms nothing", async () => {
    const older = await debianStore("bookworm", "redis-server");
    const redis = (image: string) =>
      start(image, "redis-server", ["--appendonly", "yes", "--appendfsync", "always"], ["--network", "none"]);
    const size = () => answer("redis-cli", "dbsize");
    await redis(older);
    await answer("redis-cli", "mset", ...Array.from({ length: 300 }, (_, n) => [`key${n}`, `value ${n}`]).flat());
    await answer("redis-cli", "xadd", "stream", "*", "field", "value");
    await redis(images.redis);
    expect(await size()).toBe("301");
    await answer("redis-cli", "bgrewriteaof");
    await eventually("that the log is written again", 30, async () =>
      (await answer("redis-cli", "info", "persistence")).includes("aof_rewrite_in_progress:0") ? true : undefined,
    );
    await answer("redis-cli", "set", "last", "1");
    await redis(older);
    expect(await size()).toMatch(/^ended: (.*\n)*.*Can't handle RDB format version/);
    await redis(images.redis);
    expect(await size()).toBe("302");
  });

  test("NATS reads what an older one wrote, and the older one reads it again", async () => {
    const newer = await debianStore("forky", "nats-server");
    const nats = (image: string) =>
      start(image, "nats-server", ["--jetstream", "--store_dir", "/data"], ["--publish", "127.0.0.1::4222"]);
    const open = async () => {
      const servers = (await docker("port", name, "4222/tcp")).split("\n")[0] ?? "";
      return connect({ servers, waitOnFirstConnect: true, timeout: 20_000 });
    };
    const held = async () => {
      const connection = await open();
      const manager = await jetstreamManager(connection);
      const { state } = await manager.streams.info("ORDERS");
      const consumer = await manager.consumers.info("ORDERS", "reader");
      await connection.close();
      return { messages: state.messages, last: state.last_seq, read: consumer.ack_floor.stream_seq };
    };
    const publish = async (count: number) => {
      const connection = await open();
      const stream = jetstream(connection);
      for (let n = 0; n < count; n++) await stream.publish("risk.order.approved", `order ${n}`);
      await connection.close();
    };
    await nats(images.nats);
    const connection = await open();
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "ORDERS", subjects: ["risk.order.*"], max_bytes: 1_000_000 });
    await manager.consumers.add("ORDERS", { durable_name: "reader", ack_policy: "explicit" });
    await connection.close();
    await publish(200);
    const reading = await open();
    const reader = await jetstream(reading).consumers.get("ORDERS", "reader");
    for (let n = 0; n < 50; n++) await (await reader.next())?.ackAck();
    await reading.close();
    expect(await held()).toEqual({ messages: 200, last: 200, read: 50 });
    await nats(newer);
    expect(await held()).toEqual({ messages: 200, last: 200, read: 50 });
    await publish(10);
    await nats(images.nats);
    expect(await held()).toEqual({ messages: 210, last: 210, read: 50 });
  });

  test("Prometheus reads what version 2 wrote", async () => {
    const older = await debianStore("trixie", "prometheus");
    const config =
      "global: {scrape_interval: 1s}\\nscrape_configs: [{job_name: own, static_configs: [{targets: [127.0.0.1:9090]}]}]\\n";
    const prometheus = (image: string) =>
      start(
        ...([image, "/bin/sh"] as const),
        ["-c", `printf '${config}' >/tmp/p.yml; exec prometheus --config.file=/tmp/p.yml --storage.tsdb.path=/data`],
        ["--network", "none"],
      );
    const samples = async () => {
      const query = "http://127.0.0.1:9090/api/v1/query?query=count_over_time(up[1h])";
      return Number(/"(\d+)"\]/.exec(await answer("wget", "-q", "-O", "-", query))?.[1] ?? 0);
    };
    const some = (more: number) =>
      eventually(`${more} samples`, 60, async () => {
        const now = await samples();
        return now >= more ? now : undefined;
      });
    await prometheus(older);
    const before = await some(8);
    await prometheus(images.prometheus);
    expect(await some(before + 3)).toBeGreaterThan(before);
  });
});
