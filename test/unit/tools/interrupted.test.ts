import { describe, expect, it } from "vitest";
import { halfMade, halfRemoved, settled } from "../../../tools/lib/interrupted.ts";
import type { Deployment } from "../../../tools/lib/state.ts";

const resource = (name: string, kind: "container" | "network" | "volume", id?: string) => ({
  urn: `urn:pulumi:test::autollm::docker:index/${kind}:${kind}::${name}`,
  type: `docker:index/${kind}:${kind.replace(/^./, (letter) => letter.toUpperCase())}`,
  ...(id === undefined ? {} : { id }),
  inputs: { name: `${name}-0a1b2c3` },
});
const command = { urn: "urn:pulumi:test::autollm::command:local:Command::redis-files", type: "command:local:Command" };

const interrupted: Deployment = {
  resources: [resource("redis", "container", "old-redis"), resource("nats", "container", "old-nats"), command],
  pending_operations: [
    { type: "creating", resource: resource("redis", "container") },
    { type: "creating", resource: resource("redis-data", "volume") },
    { type: "creating", resource: command },
    { type: "deleting", resource: resource("nats", "container", "old-nats") },
  ],
};

describe("an update that was ended in its middle", () => {
  it("may have created Docker objects that the state does not name", () => {
    expect(halfMade(interrupted)).toEqual([
      { kind: "container", reference: "redis-0a1b2c3" },
      { kind: "volume", reference: "redis-data-0a1b2c3" },
    ]);
  });

  it("may have removed Docker objects that the state still names", () => {
    expect(halfRemoved(interrupted)).toEqual([{ kind: "container", reference: "old-nats" }]);
  });

  it("leaves a state without the removed objects, and changes nothing else", () => {
    const { resources, pending_operations: pending } = settled(interrupted, new Set(["old-nats"]));
    expect(resources).toEqual([resource("redis", "container", "old-redis"), command]);
    expect(pending).toBeUndefined();
  });

  it("keeps everything that still exists", () => {
    expect(settled(interrupted, new Set()).resources).toEqual(interrupted.resources);
  });

  it("writes again the files that a running workload may have loaded, and no others", () => {
    const live = { ...command, urn: command.urn.replace("redis-files", "redis-live-files") };
    const resources = [command, live];
    const pending = resources.map((each) => ({ type: "creating", resource: each }));
    expect(settled({ resources, pending_operations: pending }, new Set()).resources).toEqual([
      command,
      { ...live, taint: true },
    ]);
  });
});
