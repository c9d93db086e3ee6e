import { beforeAll, describe, expect, it } from "vitest";
import { services } from "../../components/platform/catalogue.ts";
import { portsOf } from "../../components/ports.ts";
import { isOpen, type SegmentName, segmentNames, sharedSegments } from "../../components/runtime/segments.ts";
import { type Member, segmentsPage } from "../../tools/docs/segments.ts";
import type { Recording } from "./lib/mocks.ts";
import { runProduction } from "./lib/platform.ts";

/** The segments of each container, by the networks that it joins. */
function membersOf(platform: Recording): Member[] {
  const segmentOf = (network: unknown) => String(network).replace(/^segment-(.+)-0123abc$/, "$1") as SegmentName;
  return platform.containers.map(([name, { networksAdvanced }]) => ({
    name,
    segments: (networksAdvanced ?? []).map((network) => segmentOf(network.name)),
  }));
}

let platform: Recording;
let members: readonly Member[];
beforeAll(async () => {
  platform = await runProduction();
  members = membersOf(platform);
});

describe("the segments", () => {
  it("docs/segments.md shows them as the program makes them (mend it with: npx vitest run --project unit segments -u)", async () => {
    await expect(segmentsPage(members)).toMatchFileSnapshot("../../docs/segments.md");
  });

  it("are known, and so are the ports of whoever joins them", () => {
    expect(members.length).toBeGreaterThan(20);
    for (const { name, segments } of members) {
      for (const segment of segments) expect(segmentNames).toContain(segment);
      expect(() => portsOf(name, false)).not.toThrow();
    }
  });

  it("that lead out connect nobody: who calls the internet reaches neither each other nor IB Gateway there", () => {
    expect(sharedSegments(["egress", "public"], ["egress", "public"])).toEqual([]);
    expect(sharedSegments(["apps", "egress"], ["egress", "apps"])).toEqual(["apps"]);
    for (const name of segmentNames.filter(isOpen)) {
      const { options } = platform.find("docker:index/network:Network", `segment-${name}`).inputs;
      expect(options).toEqual({ "com.docker.network.bridge.enable_icc": "false" });
    }
  });

  it("let execution-ib alone reach IB Gateway, and no service reach out that does not call the internet", () => {
    const broker = members.find(({ name }) => name === "ib-gateway")?.segments ?? [];
    const reaching = members.filter(({ segments }) => sharedSegments(segments, broker).length > 0);
    expect(reaching.map(({ name }) => name).sort()).toEqual(["execution-ib", "ib-gateway"]);
    const out = members.filter(({ segments }) => segments.some(isOpen)).map(({ name }) => name);
    const calling = Object.entries(services).flatMap(([name, { egress }]) => (egress ? [name] : []));
    expect(out.sort()).toEqual([...calling, "alertmanager", "backup", "caddy", "ib-gateway"].sort());
  });

  it("that lead out know no workload's name, so that a name never leads where nobody answers", () => {
    for (const [name, { networksAdvanced, hostname }] of platform.containers) {
      expect(hostname).not.toBe(name);
      for (const { name: network, aliases } of networksAdvanced ?? []) {
        const open = /^segment-(public|egress)-/.test(String(network));
        expect(aliases, `${name} in ${network}`).toEqual(open ? [] : [name]);
      }
    }
  });
});
