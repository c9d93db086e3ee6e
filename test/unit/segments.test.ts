import { beforeAll, describe, expect, it } from "vitest";
import { type ServiceName, type ServiceSpec, serviceNames, services } from "../../components/platform/catalogue.ts";
import { portsIn } from "../../components/ports.ts";
import { isOpen, type SegmentName, segmentSpecs, sharedSegments } from "../../components/segments.ts";
import { neededSegments } from "../../policies/segments.ts";
import type { Member } from "../../tools/docs/segments.ts";
import { membersOf } from "./lib/members.ts";
import type { Recording } from "./lib/mocks.ts";
import { runProduction } from "./lib/platform.ts";

let platform: Recording;
let members: readonly Member[];
beforeAll(async () => {
  platform = await runProduction();
  members = membersOf(platform);
});

const segmentsOf = (name: string) => members.find((each) => each.name === name)?.segments ?? [];

/** Who reaches a port of a workload, as far as it is declared. */
const reaching = (name: string, port: number) =>
  members
    .filter((from) => from.name !== name)
    .filter((from) =>
      sharedSegments(from.segments, segmentsOf(name)).some((each) => portsIn(name, each, true).includes(port)),
    )
    .map((from) => from.name)
    .sort();

describe("the segments", () => {
  it("are known and joined by a workload, and so are the ports of their members", () => {
    expect(members.length).toBeGreaterThan(20);
    const known = segmentSpecs().map(({ name }) => name);
    expect([...new Set(members.flatMap(({ segments }) => segments))].sort()).toEqual(known.sort());
    for (const { name, segments } of members)
      for (const segment of segments) expect(() => portsIn(name, segment, false)).not.toThrow();
  });

  it("are joined by each workload as the policies' own table says", () => {
    for (const { name, segments } of members)
      expect([...segments].sort(), `${name}: add it to policies/segments.ts`).toEqual(neededSegments(name)?.toSorted());
  });

  it.each(serviceNames.filter((name) => services[name].port !== null))(
    "let Prometheus and the declared callers alone reach %s",
    (name) => {
      const { port, routes }: ServiceSpec<ServiceName> = services[name];
      const peers = serviceNames.filter((other) => (services[other] as ServiceSpec<ServiceName>).needs.includes(name));
      const callers = ["prometheus", ...peers];
      if (routes !== undefined) callers.push("caddy");
      if (name === "reporter") callers.push("alertmanager");
      expect(reaching(name, port ?? 0)).toEqual(callers.sort());
    },
  );

  it.each([
    ["alertmanager", 9093, ["caddy", "prometheus"]],
    ["prometheus", 9090, ["caddy", "grafana"]],
    ["loki", 3100, ["grafana", "log-collector", "prometheus"]],
    ["jaeger", 16686, ["caddy", "grafana"]],
    ["jaeger", 4317, ["otel-collector", "prometheus"]],
    ["grafana", 3000, ["caddy", "prometheus"]],
    ["nats", 8222, ["backup", "nats-exporter"]],
    ["edge-sockets", 2020, ["blackbox-exporter", "prometheus"]],
  ])("let nobody reach %s:%i without need", (name, port, callers) => {
    expect(reaching(name, port)).toEqual(callers);
  });

  it("hold two services together only where one calls the other, whatever they listen on", () => {
    for (const one of serviceNames)
      for (const other of serviceNames.filter((each) => each > one)) {
        const shared = sharedSegments(segmentsOf(one), segmentsOf(other));
        const calling = [`${one}-to-${other}`, `${other}-to-${one}`];
        expect(
          shared.filter((segment) => !calling.includes(segment)),
          `${one} and ${other}`,
        ).toEqual([]);
      }
  });

  it("that lead out connect nobody: who calls the internet reaches neither each other nor IB Gateway there", () => {
    expect(sharedSegments(["egress", "public"], ["egress", "public"])).toEqual([]);
    expect(sharedSegments(["nats", "egress"], ["egress", "nats"])).toEqual(["nats"]);
    for (const { name } of segmentSpecs().filter((spec) => isOpen(spec.name))) {
      const { options } = platform.find("docker:index/network:Network", `segment-${name}`).inputs;
      expect(options).toEqual({ "com.docker.network.bridge.enable_icc": "false" });
    }
  });

  it("let execution-ib alone reach IB Gateway, and no service reach out that does not call the internet", () => {
    const sharing = members.filter(({ segments }) => sharedSegments(segments, segmentsOf("ib-gateway")).length > 0);
    expect(sharing.map(({ name }) => name).sort()).toEqual(["execution-ib", "ib-gateway"]);
    const out = members.filter(({ segments }) => segments.some(isOpen)).map(({ name }) => name);
    const calling = Object.entries(services).flatMap(([name, { egress }]) => (egress ? [name] : []));
    const parts = ["alertmanager", "backup", "caddy", "edge-sockets", "ib-gateway", "wal-archive"];
    expect(out.sort()).toEqual([...calling, ...parts].sort());
  });

  it("have addresses of their own, apart from each other, with room for two generations of each member", () => {
    const networks = segmentSpecs().map((spec) => ({
      ...spec,
      last: spec.offset + 2 ** (32 - spec.bits),
      joining: members.filter(({ segments }) => segments.includes(spec.name)).length,
    }));
    for (const network of networks) {
      const others = networks.filter((other) => other !== network);
      const meeting = others.filter((other) => network.offset < other.last && other.offset < network.last);
      expect(
        meeting.map(({ name }) => name),
        network.name,
      ).toEqual([]);
      // Its own address, the gateway's and the broadcast's are no container's.
      expect(2 * network.joining, network.name).toBeLessThanOrEqual(2 ** (32 - network.bits) - 3);
      expect(network.last).toBeLessThanOrEqual(4096);
      const { ipamConfigs } = platform.find("docker:index/network:Network", `segment-${network.name}`).inputs;
      expect(ipamConfigs).toHaveLength(1);
    }
  });
});

describe("the names in a segment", () => {
  it("are its own where it serves, one for the segment alone elsewhere, and none in the way out", () => {
    for (const [name, { networksAdvanced, hostname }] of platform.containers) {
      expect(hostname).not.toBe(name);
      for (const { name: network, aliases } of networksAdvanced ?? []) {
        const segment = String(network).replace(/^segment-(.+)-0123abc$/, "$1") as SegmentName;
        const serves = portsIn(name, segment, false).length > 0 && !isOpen(segment);
        const expected = segment === "egress" ? [] : [...(serves ? [name] : []), `${name}.${segment}`];
        expect(aliases, `${name} in ${segment}`).toEqual(expected);
      }
    }
  });

  it("lead to one place: no workload finds another by its name in two segments, one of which does not have the port", () => {
    for (const from of members)
      for (const to of members.filter((each) => each.name !== from.name)) {
        const serving = sharedSegments(from.segments, to.segments).filter(
          (segment) => portsIn(to.name, segment, false).length > 0,
        );
        const ports = serving.map((segment) => portsIn(to.name, segment, false).join());
        expect(new Set(ports).size, `${from.name} asks for ${to.name} in ${serving.join(" and ")}`).toBeLessThan(2);
      }
  });
});
