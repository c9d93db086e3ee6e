import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { access } from "./lib/access.ts";
import { Flow } from "./lib/flow.ts";
import { eventually, https } from "./lib/http.ts";
import { Exchange, IGNORANT_EXECUTOR } from "./lib/ignorant.ts";
import { type Registry, startRegistry } from "./lib/registry.ts";
import { docker, freePort, type TestStack, testStack } from "./lib/stack.ts";
import { filled, isFilled, trader } from "./lib/trading.ts";
import { twin } from "./lib/twin.ts";

/** What issue and page promise: from the command's start to its effect. */
const WITHIN_MS = 2000;
const EXECUTORS = ["execution-crypto", "execution-ib"] as const;

describe("the platform's kill switch", () => {
  let stack: TestStack;
  let to: ReturnType<typeof access>;
  let registry: Registry;
  let exchange: Exchange;
  let orders: Flow;
  let outside: Readonly<Record<string, string>>;
  /** Of the executors' users of NATS. */
  const passwords = new Map<string, string>();

  const up = async () => {
    const { code, stdout, stderr } = await stack.autollm("up");
    expect(code, stdout + stderr).toBe(0);
    return stdout + stderr;
  };
  const config = (key: string, change: (value: unknown) => unknown) => {
    const path = join(stack.home, `Pulumi.${stack.name}.yaml`);
    const file = parse(readFileSync(path, "utf8")) as { config: Record<string, unknown> };
    file.config[`autollm:${key}`] = change(file.config[`autollm:${key}`]);
    writeFileSync(path, stringify(file));
  };
  const switchTo = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await stack.autollm("kill-switch", ...args);
    return { code, text: stdout + stderr };
  };
  /** Which one it is depends on the clone: two of one machine share none. */
  const files = async () => (await stack.pulumi("config", "get", "filesDir")).trim();
  const state = async (workload: string) =>
    docker("inspect", "--format", "{{.State.Status}}", await stack.container(workload));
  /** What the executor that ignores everything has been given, as numbers. */
  const received = async () => {
    const said = await docker("logs", await stack.container("execution-crypto"));
    return [...said.matchAll(/^order \{"n":(\d+)\}$/gm)].map(([, n]) => Number(n));
  };
  const release = async (environment: Readonly<Record<string, string>>, version: string) => {
    const base = await docker("inspect", "--format", "{{.Image}}", await stack.container("gateway-api"));
    const image = await registry.push(base, "execution-crypto", version);
    const command = ["node", "--eval", IGNORANT_EXECUTOR];
    config("release", () => ({ "execution-crypto": { image, command, health: ["true"], environment } }));
  };

  beforeAll(async () => {
    stack = await testStack("e2e-kill");
    to = access(stack);
    registry = await startRegistry();
    const first = await stack.up();
    expect(first.code, first.stdout + first.stderr).toBe(0);
    const port = await freePort();
    exchange = await Exchange.listen(port);
    const networks = await docker(
      "network",
      "ls",
      "--filter",
      `label=autollm.stack=${stack.name}`,
      "--format",
      "{{.Name}}",
    );
    const egress = networks.split("\n").find((name) => name.startsWith("segment-egress-")) ?? "";
    const gateway = await docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", egress);
    outside = { OUTSIDE: `${gateway}:${port}` };
    await release(outside, "1");
    await up();
    for (const executor of EXECUTORS) {
      const user = await to.natsUserOf(executor);
      passwords.set(user, await to.secret(executor, "NATS_PASSWORD"));
      expect(await to.natsLogin(user, passwords.get(user) ?? ""), user).toBe("accepted");
    }
    const service = "risk-manager";
    orders = new Flow({ to, service, subject: "risk.order.approved", message: (n) => ({ n }) });
    await orders.start();
    await eventually("orders and the exchange", 60, async () =>
      (await received()).length > 0 && exchange.lastHeard > 0 ? true : undefined,
    );
  });

  afterAll(async () => {
    await orders?.stop();
    exchange?.close();
    await registry?.stop();
    await stack.remove();
  });

  test("takes effect within two seconds for a program that ignores it, and for one that is paused", async () => {
    await docker("pause", await stack.container("execution-ib"));
    const began = Date.now();
    const { code, text } = await switchTo("on", "--reason", "it has gone mad");
    const took = Date.now() - began;
    const lastHeard = exchange.lastHeard;
    expect({ code, text }, text).toMatchObject({ code: 0 });
    expect(text).toContain("it has gone mad");
    expect(took).toBeLessThan(10_000);
    expect(lastHeard - began).toBeLessThan(WITHIN_MS);
    for (const executor of EXECUTORS) expect(await state(executor), executor).toBe("exited");

    const limit = orders.sentAt(began + WITHIN_MS);
    await eventually("more orders", 20, async () => (orders.sent > limit + 50 ? true : undefined));
    expect(Math.max(...(await received()))).toBeLessThan(limit);
    expect(exchange.lastHeard).toBe(lastHeard);
    // What was received last, from the command's start.
    console.log(
      `seen: last order ${orders.at(Math.max(...(await received()))) - began} ms, last byte ${lastHeard - began} ms, command ${took} ms`,
    );
  });

  test("leaves NATS without executors, and without anybody who may approve an order", async () => {
    for (const [user, password] of passwords)
      expect(await to.natsLogin(user, password), user).toMatch(/authorization/i);
    expect(orders.refused).toBeGreaterThan(0);
  });

  test("keeps a container that somebody starts waiting, also after a restart of NATS and of itself", async () => {
    const before = (await received()).length;
    await docker("restart", await stack.container("nats"));
    const crypto = await stack.container("execution-crypto");
    await docker("start", crypto);
    await eventually("the wrapper's word", 20, async () =>
      (await docker("logs", "--tail", "3", crypto).catch(() => "")) !== "" ? true : undefined,
    );
    await docker("restart", crypto);
    await orders.more(40);
    expect((await received()).length).toBe(before);
    expect(await docker("exec", crypto, "ps", "-e").catch(() => "")).not.toContain("eval");
  });

  test("is told by status, preview, the last lines of up, Prometheus and an alert; an up that replaces an executor starts none", async () => {
    const status = await switchTo("status");
    expect(status).toEqual({ code: 2, text: expect.stringContaining("it has gone mad") });
    const preview = await stack.autollm("preview");
    expect(preview.stdout + preview.stderr).toContain("The kill switch is ON");

    const before = await received();
    const old = await docker("inspect", "--format", "{{.Id}}", await stack.container("execution-crypto"));
    await release({ ...outside, AGAIN: "1" }, "2");
    const said = await up();
    expect(said.trimEnd().split("\n").slice(-3).join("\n")).toContain("The kill switch is ON");
    expect(await docker("inspect", "--format", "{{.Id}}", await stack.container("execution-crypto"))).not.toBe(old);
    for (const executor of EXECUTORS) expect(await state(executor), executor).toBe("exited");
    expect(before.length).toBeGreaterThan(0);
    expect(await received()).toEqual([]);

    await eventually("the alert", 90, async () => {
      const prometheus = await stack.container("prometheus");
      const address = await stack.address("prometheus", "prometheus");
      const url = `http://${address}:9090/prometheus/api/v1/alerts`;
      const answer = await docker("exec", prometheus, "wget", "-q", "-O", "-", url);
      return answer.includes('"OrdersStopped"') ? true : undefined;
    });
  });

  test("outlasts a rotation, and drift finds nothing", async () => {
    const rotated = await stack.autollm("rotate", "nats-execution-crypto", "--yes");
    expect(rotated.code, rotated.stdout + rotated.stderr).toBe(0);
    expect((await switchTo("status")).code).toBe(2);
    for (const executor of EXECUTORS) expect(await state(executor), executor).toBe("exited");
    expect(await received()).toEqual([]);
    const drift = await stack.autollm("drift");
    expect(drift.code, drift.stdout + drift.stderr).toBe(0);
    for (const executor of EXECUTORS) expect(await state(executor), executor).toBe("exited");
  });

  test("ends by `off` alone: the executors run again, and nothing that was approved meanwhile is executed", async () => {
    const sent = orders.sent;
    const { code, text } = await switchTo("off");
    expect(code, text).toBe(0);
    expect((await switchTo("status")).code).toBe(0);
    await eventually("an order", 60, async () => ((await received()).length > 0 ? true : undefined));
    expect(Math.min(...(await received()))).toBeGreaterThan(sent);
    for (const executor of EXECUTORS) expect(await state(executor), executor).toBe("running");
    expect(await up()).not.toContain("The kill switch is ON");
  });

  test("has an order that was approved before it, and that no executor confirmed, executed by nobody after `off`", async () => {
    const headers = await trader(stack);
    const post = async () => {
      const body = { headline: "Stocks rally on record inflows", symbol: "SPY" };
      const { status, body: answer } = await https(`${stack.url}/api/news`, { method: "POST", headers, body });
      expect(status, answer).toBe(202);
      return (JSON.parse(answer) as { id: string }).id;
    };
    orders.isPaused = true;
    onTestFinished(() => {
      orders.isPaused = false;
    });
    // Its way is open, so that what is not filled later is not filled because of the switch.
    await filled(stack, headers, await post(), 120);
    await docker("pause", await stack.container("execution-ib"));
    const id = await post();
    await eventually("its approval", 60, async () =>
      (await docker("logs", "--since", "2m", await stack.container("risk-manager"))).includes(id) ? true : undefined,
    );
    // From the decision to the stream.
    await new Promise((done) => setTimeout(done, 2000));
    expect((await switchTo("on", "--reason", "old orders")).code).toBe(0);
    const waiting = await switchTo("status");
    expect(waiting.text).toMatch(new RegExp(`^ {2}\\d+ .*(not handed out|MAY BE EXECUTED).*${id}`, "m"));
    // Of the executor that subscribes by itself, one line.
    expect(waiting.text).toMatch(/^execution-crypto_risk_order_approved: nothing was ever read by it/m);

    const off = await switchTo("off");
    expect(off.code, off.text).toBe(0);
    expect(off.text).toMatch(new RegExp(`discarded[\\s\\S]*${id}`));
    expect((await switchTo("status")).text).not.toContain(id);
    const next = await eventually("a new order's fill", 120, async () => {
      const each = await post();
      return await filled(stack, headers, each, 20).then(() => each);
    });
    expect(next).not.toBe(id);
    expect(await isFilled(stack, headers, id)).toBe(false);
    const history = readFileSync(join(await files(), "kill-switch", "history.jsonl"), "utf8");
    expect(history).toContain(id);
  });

  test("a former executor that goes on after a deploy, as one that could not be stopped, receives no order", async () => {
    const former = await twin(stack, "execution-crypto");
    onTestFinished(async () => void (await docker("rm", "--force", former)));
    const given = async () =>
      [...(await docker("logs", former)).matchAll(/^order \{"n":(\d+)\}$/gm)].map(([, n]) => Number(n));
    await eventually("its orders", 30, async () => ((await given()).length > 0 ? true : undefined));
    await docker("pause", former);
    await release({ ...outside, AGAIN: "2" }, "3");
    await up();
    const deployed = orders.sent;
    await docker("unpause", former);
    await orders.more(100);
    // What was in its hands before its user was revoked is its own.
    expect(Math.max(...(await given()))).toBeLessThan(deployed);
    await eventually("the new one's orders", 30, async () =>
      Math.max(0, ...(await received())) > deployed ? true : undefined,
    );
  });

  test("works while NATS is down, the engine's state is away and another command holds the lock", async () => {
    const nats = await stack.container("nats");
    const folder = join(stack.home, "state");
    const busy = stack.autollm("up");
    await eventually("the other command's lock", 60, async () =>
      existsSync(join(stack.home, "locks", stack.name)) ? true : undefined,
    );
    await docker("stop", nats);
    onTestFinished(async () => void (await docker("start", nats)));
    const began = Date.now();
    const on = await switchTo("on", "--reason", "all at once");
    expect(on.code, on.text).toBe(0);
    expect(exchange.lastHeard - began).toBeLessThan(WITHIN_MS);
    for (const executor of EXECUTORS) expect(await state(executor), executor).toBe("exited");
    await busy;
    renameSync(folder, `${folder}.away`);
    onTestFinished(() => renameSync(`${folder}.away`, folder));
    expect((await switchTo("on")).code).toBe(0);
    expect((await switchTo("status")).text).toContain("all at once");
    await docker("start", nats);
    expect((await switchTo("off")).code).toBe(0);
  });
});
