import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cutOff, Faults, frozen, killed, running } from "./lib/faults.ts";
import { type TestStack, testStack } from "./lib/stack.ts";

describe("the platform", () => {
  let stack: TestStack;
  let faults: Faults;

  beforeAll(async () => {
    stack = await testStack("faults");
    faults = new Faults(stack);
    const up = await stack.npm("up", "--http-port", String(stack.httpPort), "--https-port", String(stack.httpsPort));
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
  ] as const)("loses no accepted order when %s stands still for %i s", async (workload, seconds) => {
    await faults.survives(`${workload} stands still for ${seconds} s`, async () =>
      frozen(await stack.container(workload), seconds),
    );
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
