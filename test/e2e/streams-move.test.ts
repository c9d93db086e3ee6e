import { jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { type NatsConnection, nanos } from "@nats-io/transport-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { natsPermissions, STREAMS_USER, streamsPermissions } from "../../components/platform/natsRights.ts";
import { streamOf, streams } from "../../components/platform/streams.ts";
import { JetStreamApi } from "../../services/backup/src/streamsApi.ts";
import { type Kept, keepStreams } from "../../services/backup/src/streamsKeep.ts";
import { discardOrders, waitingOrders } from "../../services/backup/src/streamsOrders.ts";
import { makeFormerStream } from "./lib/formerStream.ts";
import { type NatsServer, startNats } from "./lib/natsServer.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const EACH = 10;
const SUBJECTS = [
  ...["news.item.created", "llm.intent.proposed", "risk.order.approved", "risk.order.rejected"],
  ...["risk.kill_switch.activated", "exec.order.filled", "exec.order.submitted"],
];
/** How many messages each consumer has worked on; the others none. */
const READ: Readonly<Record<string, number>> = {
  "risk-manager_llm_intent_proposed": 4,
  "execution-ib_risk_order_approved": 3,
  "risk-manager_risk_kill_switch_activated": EACH,
  "execution-ib_risk_kill_switch_activated": 6,
  "portfolio-ledger_exec_order_filled": 9,
};
const consumers = streams.flatMap((stream) => stream.consumers.map((each) => ({ ...each, stream: stream.name })));
const standIns = { application: "conventions", release: {} } as const;

/** JetStream's API that breaks off after so many requests, as if the keeper was killed. */
class Interrupted extends JetStreamApi {
  constructor(nats: NatsConnection, requests: number) {
    let left = requests;
    const request: NatsConnection["request"] = (...args) => {
      left -= 1;
      return left < 0 ? Promise.reject(new Error("interrupted")) : nats.request(...args);
    };
    super(new Proxy(nats, { get: (target, key) => (key === "request" ? request : Reflect.get(target, key, target)) }));
  }
}

describe("the stream keeper", () => {
  let server: NatsServer;
  let admin: NatsConnection;
  let keeper: NatsConnection;
  const api = () => new JetStreamApi(keeper);
  const faultsOf = (kept: ReadonlyMap<string, Kept>) => [...kept.values()].flatMap(({ faults }) => faults);
  const manager = () => jetstreamManager(admin);

  /** Reads and confirms messages; answers their texts. */
  async function take(stream: string, consumer: string, most: number): Promise<string[]> {
    const taken: string[] = [];
    const reader = await jetstream(admin).consumers.get(stream, consumer);
    const there = Math.min(most, (await reader.info()).num_pending);
    if (there === 0) return taken;
    for await (const message of await reader.fetch({ max_messages: there, expires: 5000 })) {
      taken.push(message.string());
      await message.ackAck();
    }
    return taken;
  }

  /** One stream for all, as the platform had it, in which some messages are confirmed and others wait. */
  async function makeFormer(): Promise<void> {
    await makeFormerStream(await manager());
    for (let index = 0; index < EACH; index++)
      for (const subject of SUBJECTS)
        await jetstream(admin).publish(subject, String(index), { msgID: `${subject}-${index}` });
    for (const [name, many] of Object.entries(READ)) await take("ORDERS", name, many);
  }

  /** Each consumer, in its stream, gets what it had not confirmed, in its order, and nothing else. */
  async function expectMoved(): Promise<void> {
    for (const { name, stream } of consumers) {
      const waiting = Array.from({ length: EACH }, (_, index) => String(index)).slice(READ[name] ?? 0);
      expect(await take(stream, name, 2 * EACH), name).toEqual(waiting);
    }
    const jsm = await manager();
    for (const { name, subjects, consumers: own } of streams) {
      const { config, state } = await jsm.streams.info(name);
      expect(config.subjects).toEqual(subjects);
      expect(config.sources ?? []).toEqual([]);
      expect(state.consumer_count, name).toBe(own.length);
    }
  }

  beforeEach(async () => {
    server = await startNats([
      { user: "admin", permissions: { publish: [">"], subscribe: [">"] } },
      { user: STREAMS_USER, permissions: streamsPermissions },
      ...(["gateway-api", "execution-crypto"] as const).map((user) => ({
        user,
        permissions: natsPermissions(user, standIns),
      })),
    ]);
    admin = await server.connect("admin");
    keeper = await server.connect(STREAMS_USER);
  });
  afterEach(async () => {
    await Promise.all([admin?.close(), keeper?.close()]);
    await server?.stop();
  });

  test("makes every stream and consumer, and changes nothing at the next look", async () => {
    expect(faultsOf(await keepStreams(api(), streams))).toEqual([]);
    const again = await keepStreams(api(), streams);
    expect([...again.values()]).toEqual(streams.map(() => ({ complete: true, faults: [], repairs: [] })));
  });

  test("makes again what was removed, and puts right what was changed", async () => {
    await keepStreams(api(), streams);
    const jsm = await manager();
    await jsm.streams.delete("FILLS");
    await jsm.consumers.delete("ORDERS", "execution-ib_risk_order_approved");
    await jsm.streams.update("INTENTS", { subjects: ["llm.intent.proposed", "market.>"] });
    await jsm.streams.update("NEWS", { republish: { src: ">", dest: "risk.copy.>" }, max_age: nanos(DAY_MS) });
    const kept = await keepStreams(api(), streams);
    expect(faultsOf(kept)).toEqual([]);
    expect([...kept.values()].every(({ complete }) => complete)).toBe(true);
    expect((await jsm.streams.info("INTENTS")).config.subjects).toEqual(["llm.intent.proposed"]);
    expect((await jsm.streams.info("NEWS")).config).toMatchObject({ max_age: nanos(7 * DAY_MS) });
    expect((await jsm.streams.info("NEWS")).config.republish).toBeUndefined();
    await jetstream(admin).publish("exec.order.filled", "after");
    expect(await take("FILLS", "portfolio-ledger_exec_order_filled", 5)).toEqual(["after"]);
  });

  test("gives a consumer that was removed nothing of the past, so that no order is executed twice", async () => {
    await keepStreams(api(), streams);
    await jetstream(admin).publish("risk.order.approved", "executed");
    await (await manager()).consumers.delete("ORDERS", "execution-ib_risk_order_approved");
    await keepStreams(api(), streams);
    await jetstream(admin).publish("risk.order.approved", "new");
    expect(await take("ORDERS", "execution-ib_risk_order_approved", 5)).toEqual(["new"]);
  });

  test("tells the approved orders that no executor has confirmed, and has none of them delivered once they are discarded", async () => {
    await keepStreams(api(), streams);
    for (const order of ["executed", "handed out", "waits"]) {
      await jetstream(admin).publish("risk.order.approved", order);
      await jetstream(admin).publish("risk.order.rejected", "no order");
    }
    await take("ORDERS", "execution-ib_risk_order_approved", 1);
    const reader = await jetstream(admin).consumers.get("ORDERS", "execution-ib_risk_order_approved");
    expect((await reader.next({ expires: 5000 }))?.string()).toBe("handed out");

    const ib = {
      ...{ consumer: "execution-ib_risk_order_approved", isRead: true, count: 2 },
      orders: [
        { seq: 3, at: expect.stringMatching(/^\d{4}-/), delivered: true, text: "handed out" },
        { seq: 5, at: expect.any(String), delivered: false, text: "waits" },
      ],
    };
    // As for a program that subscribes to the subject itself.
    const crypto = { consumer: "execution-crypto_risk_order_approved", isRead: false, count: 3, orders: [] };
    expect(await waitingOrders(api(), streams)).toEqual([ib, crypto]);
    expect(await discardOrders(api(), streams)).toEqual([ib, crypto]);
    expect(await waitingOrders(api(), streams)).toEqual([]);
    expect([...(await keepStreams(api(), streams)).values()].flatMap(({ repairs }) => repairs)).toEqual([]);

    await jetstream(admin).publish("risk.order.approved", "new");
    for (const executor of ["execution-ib", "execution-crypto"])
      expect(await take("ORDERS", `${executor}_risk_order_approved`, 5), executor).toEqual(["new"]);
    // They are no executor's any more, and a reader finds them.
    expect((await (await manager()).streams.info("ORDERS")).state.messages).toBe(7);
  });

  test("tells what it cannot put right without a loss, and leaves it", async () => {
    const jsm = await manager();
    await jsm.streams.add({ name: "FILLS", subjects: ["exec.order.filled"], storage: StorageType.Memory });
    await jsm.streams.add({ name: "OTHER", subjects: ["news.>"] });
    await jetstream(admin).publish("exec.order.filled", "kept");
    const kept = await keepStreams(api(), streams);
    expect(kept.get("FILLS")?.faults.join()).toMatch(/storage/);
    expect(kept.get("NEWS")).toMatchObject({ complete: false, faults: [expect.stringMatching(/overlap/)] });
    expect((await jsm.streams.info("FILLS")).state.messages).toBe(1);
    expect(kept.get("ORDERS")).toMatchObject({ complete: true, faults: [] });
  });

  test("moves the former single stream's subjects, with each consumer's place, and loses no message", async () => {
    await makeFormer();
    const orders = async () => {
      const { ack_floor, delivered } = await (await manager()).consumers.info(
        "ORDERS",
        "execution-ib_risk_order_approved",
      );
      return { ack_floor, delivered };
    };
    const before = await orders();
    expect(faultsOf(await keepStreams(api(), streams))).toEqual([]);
    expect(await orders()).toEqual(before);
    expect(
      (await jetstream(admin).publish("llm.intent.proposed", "again", { msgID: "llm.intent.proposed-9" })).duplicate,
    ).toBe(true);
    await expectMoved();
  });

  test("goes on with a move wherever it was interrupted", { timeout: 600_000 }, async () => {
    for (let requests = 1; ; requests += 3) {
      await makeFormer();
      const kept = await keepStreams(new Interrupted(keeper, requests), streams).catch(() => undefined);
      expect(faultsOf(await keepStreams(api(), streams)), `${requests} requests`).toEqual([]);
      await expectMoved();
      if (kept !== undefined && faultsOf(kept).length === 0) break;
      const jsm = await manager();
      for (const { name } of streams) await jsm.streams.delete(name);
    }
  });

  test("keeps publishers apart: an id that one of them used suppresses no other's message", async () => {
    await keepStreams(api(), streams);
    const gateway = await server.connect("gateway-api");
    const executor = await server.connect("execution-crypto");
    const own = { checkAPI: false };
    await jetstream(gateway, own).publish("news.item.created", "{}", { msgID: "fill-1" });
    await jetstream(gateway, own).publish("risk.kill_switch.activated", "{}", { msgID: "fill-1" });
    const fill = await jetstream(executor, own).publish("exec.order.filled", "fill", { msgID: "fill-1" });
    expect(fill).toMatchObject({ stream: streamOf("exec.order.filled"), duplicate: false });
    await Promise.all([gateway.close(), executor.close()]);
  });
});
