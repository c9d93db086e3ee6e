import { setTimeout as pause } from "node:timers/promises";
import { nanos } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cutOff, Faults, frozen, killed, running } from "./lib/faults.ts";
import { offline } from "./lib/offline.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

describe("the platform", () => {
  let stack: TestStack;
  let faults: Faults;

  beforeAll(async () => {
    stack = await testStack("faults");
    faults = new Faults(stack);
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
  });
  afterAll(async () => {
    faults.tell("test/e2e/faults.test.ts");
    await stack.remove();
  });

  test("loses no accepted order when the processes of any container are killed, and is whole again by itself", async () => {
    for (const workload of await running(stack)) {
      await faults.survives(`${workload} is killed`, async () => killed(await stack.container(workload)));
    }
  });

  test.each([
    ["postgres", 60],
    ["redis", 30],
    ["nats", 30],
    ["risk-manager", 30],
  ] as const)("loses no accepted order when %s hangs for %i s", async (workload, seconds) => {
    await faults.survives(`${workload} hangs for ${seconds} s`, async () =>
      frozen(await stack.container(workload), seconds),
    );
  });

  test("loses no accepted order when NATS is away for longer than its streams may go unseen", async () => {
    await faults.survives("nats is stopped for 60 s", async () => {
      const nats = await stack.container("nats");
      await docker("stop", nats);
      await pause(60_000).finally(() => docker("start", nats));
    });
  });

  test("has a stream that exists with other settings, and without a consumer, put right", async () => {
    await faults.survives("a stream has other settings and lacks a consumer", () =>
      offline(stack, async (manager) => {
        await manager.streams.update("FILLS", {
          subjects: ["exec.order.filled", "market.>"],
          max_age: nanos(60 * 60_000),
        });
        // One by which no order waits: what waited at a consumer that is removed would be nobody's.
        await manager.consumers.delete("KILL_SWITCH", "execution-ib_risk_kill_switch_activated");
      }),
    );
    const page = await docker(
      ...["exec", await stack.container("nats-streams"), "wget", "-q", "-O", "-", "http://127.0.0.1:9191/metrics"],
    );
    for (const stream of ["FILLS", "KILL_SWITCH"])
      expect.soft(page).toContain(`nats_stream_kept{stream="${stream}"} 1`);
  });

  test.each([
    ["gateway-api", "gateway-api-calls"],
    ["risk-manager", "risk-manager-calls"],
    ["execution-crypto", "execution-crypto-calls"],
    ["nats", "portfolio-ledger-calls"],
  ] as const)("loses no accepted order when %s is cut off from the segment %s", async (workload, segment) => {
    await faults.survives(`${workload} is cut off from ${segment} for 20 s`, () =>
      cutOff(stack, workload, segment, 20),
    );
  });
});
