import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { inboxPrefix } from "../../components/platform/inbox.ts";
import { type StreamName, streams } from "../../components/platform/streams.ts";
import { access } from "./lib/access.ts";
import { makeFormerStream } from "./lib/formerStream.ts";
import { eventually, https } from "./lib/http.ts";
import { offline } from "./lib/offline.ts";
import { pythonApplication } from "./lib/python.ts";
import { type Registry, startRegistry } from "./lib/registry.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";
import { filled, postNews, trader } from "./lib/trading.ts";

describe("the streams of a stack", () => {
  let stack: TestStack;
  let to: ReturnType<typeof access>;
  let headers: Record<string, string>;
  let registry: Registry | undefined;

  const inside = async (url: string) =>
    docker(
      "exec",
      await stack.container("nats-streams"),
      "node",
      "-e",
      `fetch("${url}").then((a) => a.text()).then(console.log)`,
    );
  const figure = async (metric: string) => {
    const page = await inside("http://127.0.0.1:9191/metrics");
    return Number(
      page
        .split("\n")
        .find((line) => line.startsWith(`${metric} `))
        ?.split(" ")[1],
    );
  };
  const nats = async (service: string) =>
    to.nats(await to.natsUserOf(service), await to.secret(service, "NATS_PASSWORD"), undefined, inboxPrefix(service));

  beforeAll(async () => {
    stack = await testStack("streams");
    to = access(stack);
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    headers = await trader(stack);
  });
  afterAll(async () => {
    await registry?.stop();
    await stack?.remove();
  });

  test("were there before any service began", async () => {
    const began = async (workload: string) =>
      Date.parse(await docker("inspect", "--format", "{{.State.StartedAt}}", await stack.container(workload)));
    const keeper = await began("nats-streams");
    for (const service of ["gateway-api", "risk-manager", "execution-ib"])
      expect(await began(service)).toBeGreaterThan(keeper);
    for (const { name } of streams) expect(await figure(`nats_stream_kept{stream="${name}"}`), name).toBe(1);
    await to.whole();
  });

  test("are no service's to change, and no publisher can suppress another's message by its id", async () => {
    const executor = await nats("execution-ib");
    const crypto = await nats("execution-crypto");
    const own = { checkAPI: false };
    const id = "order-1";
    await jetstream(executor, own).publish("exec.order.rejected", "no message", { msgID: id });
    const fill = await jetstream(crypto, own).publish("exec.order.filled", "no message", { msgID: id });
    expect(fill).toMatchObject({ stream: "FILLS" satisfies StreamName, duplicate: false });
    await expect(executor.request("$JS.API.STREAM.DELETE.ORDERS", "", { timeout: 1000 })).rejects.toThrow();
    await Promise.all([executor.close(), crypto.close()]);
  });

  test("are made again after somebody removed one, and an order goes its way", async () => {
    await offline(stack, async (manager) => {
      await manager.streams.delete("FILLS");
      await manager.consumers.delete("NEWS", "llm-agents_news_item_created");
    });
    await eventually("the repair", 60, async () =>
      (await figure('nats_stream_repairs_total{stream="FILLS"}')) > 0 &&
      (await figure('nats_stream_kept{stream="NEWS"}')) === 1
        ? true
        : undefined,
    );
    await to.whole();
  });

  test("take over what waited in the single stream that the platform had before", async () => {
    const agents = await stack.container("llm-agents");
    await docker("stop", agents);
    const items = [await postNews(stack, headers), await postNews(stack, headers)];
    await offline(stack, async (manager, admin) => {
      const { state } = await manager.streams.info("NEWS");
      const waiting = await Promise.all(
        items.map((_, index) => manager.streams.getMessage("NEWS", { seq: state.last_seq - items.length + 1 + index })),
      );
      for (const { name } of streams) await manager.streams.delete(name);
      await makeFormerStream(manager);
      for (const message of waiting) await jetstream(admin).publish("news.item.created", message?.data ?? "");
    });
    await docker("start", agents);
    for (const item of items) await filled(stack, headers, item, 120);
    await eventually("every stream", 60, async () =>
      (await figure('nats_stream_kept{stream="ORDERS"}')) === 1 ? true : undefined,
    );
  });

  test("let the Python gateway start, which makes its stream itself and waits at the standard inbox", async () => {
    registry = await startRegistry();
    const path = join(stack.home, `Pulumi.${stack.name}.yaml`);
    const file = parse(readFileSync(path, "utf8")) as { config: Record<string, unknown> };
    file.config["autollm:application"] = "autollm";
    const image = await registry.push(await pythonApplication(), "gateway-api", "1");
    file.config["autollm:release"] = { "gateway-api": { image } };
    writeFileSync(path, stringify(file));
    const up = await stack.autollm("up");
    expect(up.code, up.stdout + up.stderr).toBe(0);
    const body = { symbol: "BTC-USD", quantity: 1 };
    const { status } = await https(`${stack.url}/api/intents`, { method: "POST", headers, body });
    expect(status).toBe(202);
    expect(await figure('nats_stream_kept{stream="INTENTS"}')).toBe(1);
    const log = await docker("logs", await stack.container("nats"));
    expect(log).not.toMatch(/Violation.*_INBOX\.|Violation.*STREAM\.CREATE\.INTENTS/);
    // Nobody else hears at the standard inbox, and the gateway makes no other stream.
    const ledger = await nats("portfolio-ledger");
    const subscription = ledger.subscribe("_INBOX.>");
    await expect(
      (async () => {
        for await (const _ of subscription) break;
      })(),
    ).rejects.toThrow(/[Pp]ermission/);
    await ledger.close();
  });
});
