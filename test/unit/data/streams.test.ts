import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { natsConfig } from "../../../components/data/nats.ts";
import { streamsFile } from "../../../components/data/natsStreams.ts";
import { type ServiceSpec, serviceNames, services } from "../../../components/platform/catalogue.ts";
import { natsPermissions, permissionsOf, streamsPermissions } from "../../../components/platform/natsRights.ts";
import {
  consumerName,
  isDurable,
  publishesTo,
  streamFaults,
  streamOf,
  streams,
} from "../../../components/platform/streams.ts";
import { subjectMatches, subjectsMeet } from "../../../components/platform/subjects.ts";

/** A stack whose services all run the stand-ins. */
const standIns = { application: "conventions", release: {} } as const;
const image = `registry.example/app@sha256:${"0a".repeat(32)}`;
/** A stack that runs AutoLLM Trader's own images. */
const autollm = {
  application: "autollm",
  release: Object.fromEntries(serviceNames.map((name) => [name, { image }])),
} as const;

describe("subjects", () => {
  it.each([
    ["risk.order.*", "risk.order.approved", true],
    ["risk.order.*", "risk.order.approved.x", false],
    ["market.>", "market.bars.SPY", true],
    ["market.>", "market", false],
    ["market.>", "market.>", true],
    ["market.bars.>", "market.>", false],
    ["market.bars.>", "market.ticks.SPY", false],
    ["a.b", "a.b", true],
  ])("%s and %s: %s", (pattern, subject, expected) => {
    expect(subjectMatches(pattern, subject)).toBe(expected);
  });

  it.each([
    ["exec.>", "exec.order.filled", true],
    ["exec.order.filled", "*.order.*", true],
    ["a.*", "*.b", true],
    ["a.b", "a.b.c", false],
    ["a.>", "a", false],
    ["a.b", "a.c", false],
  ])("%s and %s meet: %s", (one, other, expected) => {
    expect(subjectsMeet(one, other)).toBe(expected);
    expect(subjectsMeet(other, one)).toBe(expected);
  });
});

describe("the streams", () => {
  it("keep the way of an order, and not market data", () => {
    for (const subject of ["news.item.created", "llm.intent.proposed", "risk.order.approved", "exec.order.filled"])
      expect(isDurable(subject)).toBe(true);
    for (const subject of ["market.ticks.SPY", "features.snapshot.SPY", "llm.intent.trace"])
      expect(isDurable(subject)).toBe(false);
  });

  it("are each written to by services with the same rights, so that none can take a message's id before another", () => {
    for (const { name, subjects } of streams) {
      const rights = serviceNames
        .filter((service) => publishesTo(service, name))
        .map((service) =>
          (services[service] as ServiceSpec).publishes.filter((own) =>
            subjects.some((each) => subjectMatches(each, own)),
          ),
        );
      expect(rights.length, name).toBeGreaterThan(0);
      for (const own of rights) expect(own, name).toEqual(rights[0]);
    }
    expect(streamOf("risk.order.approved")).toBe("ORDERS");
    expect(streamOf("llm.intent.proposed")).toBe("INTENTS");
  });

  it("are refused if publishers with different rights would share one, with both named", () => {
    const shared = { ALL: { subjects: ["exec.order.*"] } };
    expect(streamFaults(shared, services)).toEqual([
      expect.stringMatching(/^stream ALL: execution-ib publishes .* and execution-crypto exec.order.filled; give/),
    ]);
    const wide = { twelfth: { publishes: ["risk.>"], subscribes: [] } };
    expect(streamFaults({ ORDERS: { subjects: ["risk.order.*"] } }, { ...services, ...wide })).toHaveLength(1);
  });

  it("are refused if a service subscribes across their borders, which would silently make nothing durable", () => {
    const reader = { reader: { publishes: [], subscribes: ["exec.order.*"] } };
    const two = { A: { subjects: ["exec.order.filled"] }, B: { subjects: ["exec.order.rejected"] } };
    expect(streamFaults(two, reader)).toEqual([expect.stringMatching(/^reader subscribes to exec.order.\*/)]);
  });

  it("have a consumer for each durable subscription of the catalogue, with names that NATS accepts", () => {
    const consumers = streams.flatMap(({ consumers: own }) => own);
    expect(consumers).toContainEqual({
      name: "execution-ib_risk_order_approved",
      service: "execution-ib",
      subject: "risk.order.approved",
    });
    expect(consumers.map(({ subject }) => subject)).not.toContain("market.ticks.>");
    for (const { name } of consumers) expect(name).toMatch(/^[a-z_-]+$/);
  });

  it("fit into what JetStream may store, with room for one of an application's own", () => {
    const [, most = "0"] = /max_file_store": (\d+)/.exec(natsConfig()) ?? [];
    const reserved = streams.reduce((sum, { size }) => sum + size, 0);
    expect(reserved).toBeLessThanOrEqual(Number(most) / 1024 / 1024 - 256);
  });

  it("are told in docs/application.md with their subjects and publishers", () => {
    const page = readFileSync(new URL("../../../docs/application.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (`.+`) \| (.+) \|$/gm)].map(([, ...cells]) => cells);
    expect(rows).toEqual(
      streams.map(({ name, subjects }) => [
        name,
        subjects.map((subject) => `\`${subject}\``).join(", "),
        serviceNames.filter((service) => publishesTo(service, name)).join(", "),
      ]),
    );
  });

  it("reach their keeper as a table", () => {
    const table = JSON.parse(streamsFile()) as { name: string }[];
    expect(table.map(({ name }) => name)).toEqual(streams.map(({ name }) => name));
    expect(table).toContainEqual({
      name: "FILLS",
      purpose: "executed orders",
      subjects: ["exec.order.filled"],
      size: 256,
      consumers: [{ name: "portfolio-ledger_exec_order_filled", subject: "exec.order.filled" }],
    });
  });
});

describe("NATS permissions", () => {
  it.each(serviceNames)("%s: its own subjects and inbox, never another's", (name) => {
    const { publish, subscribe } = natsPermissions(name, standIns);
    const plain = (subjects: readonly string[]) => subjects.filter((subject) => !/^(\$|_)/.test(subject));
    expect(plain(publish)).toEqual(services[name].publishes);
    expect(plain(subscribe)).toEqual(services[name].subscribes);
    expect(subscribe).toContain(`_INBOX_${name}.>`);
    for (const subject of [...publish, ...subscribe].filter((each) => each.startsWith("_INBOX")))
      expect(subject).toBe(`_INBOX_${name}.>`);
  });

  it("never leave a list empty: NATS would allow everything", () => {
    const { publish, subscribe } = permissionsOf("silent", { publishes: [], subscribes: [] });
    expect(publish).not.toEqual([]);
    expect(subscribe).not.toEqual([]);
  });

  it("let a consumer read and acknowledge its own messages, and no service make or change anything", () => {
    const own = consumerName("portfolio-ledger", "exec.order.filled");
    expect(natsPermissions("portfolio-ledger", standIns).publish).toEqual(
      expect.arrayContaining([`$JS.API.CONSUMER.MSG.NEXT.FILLS.${own}`, `$JS.ACK.FILLS.${own}.>`]),
    );
    for (const name of serviceNames)
      expect(
        natsPermissions(name, standIns).publish.filter((each) => /CREATE|UPDATE|DELETE|PURGE|PAUSE/.test(each)),
      ).toEqual([]);
  });

  it("let AutoLLM Trader's gateway alone receive at the standard inbox and make its stream, which it cannot change", () => {
    for (const name of serviceNames) {
      const { publish, subscribe } = natsPermissions(name, autollm);
      const streamsApi = publish.filter((subject) => subject.startsWith("$JS.API.STREAM."));
      expect(subscribe.includes("_INBOX.>"), name).toBe(name === "gateway-api");
      expect(publish).not.toContain("_INBOX.>");
      expect(streamsApi, name).toEqual(
        name === "gateway-api" ? ["$JS.API.STREAM.CREATE.INTENTS", "$JS.API.STREAM.INFO.INTENTS"] : [],
      );
    }
  });

  it("let an image make, change and look at a stream of its own, and no other", () => {
    const { publish } = permissionsOf("x", { publishes: ["a"], subscribes: [] }, { streams: ["AUDIT"] });
    expect(publish).toEqual([
      ...["a", "_INBOX_x.>"],
      ...["CREATE", "UPDATE", "INFO"].map((verb) => `$JS.API.STREAM.${verb}.AUDIT`),
    ]);
  });

  it("let the stream keeper remove and purge none, and read no subject", () => {
    const { publish, subscribe } = streamsPermissions;
    expect(subscribe).toEqual(["_INBOX_streams.>"]);
    for (const subject of publish) {
      expect(subject).toMatch(/^\$JS\.API\./);
      expect(subject).not.toMatch(/STREAM\.(DELETE|PURGE|RESTORE|MSG\.DELETE)|MSG\.NEXT/);
      const [, stream] = /(?:STREAM\.(?:MSG\.GET|[A-Z]+)|CONSUMER\.(?:CREATE|INFO))\.([^.]+)/.exec(subject) ?? [];
      if (stream !== undefined) expect(streams.map(({ name }) => name)).toContain(stream);
    }
  });
});
