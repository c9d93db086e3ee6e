import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../tools/lib/workspace.ts";
import { access } from "./lib/access.ts";
import { ailing, cutOff, type FaultResult, faultTable, frozen, killed, running, suffer } from "./lib/faults.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

const PAGE = join(root, "docs/faults.md");
const [BEGIN, END] = ["<!-- table: made by test/e2e/faults.test.ts -->", "<!-- end of the table -->"] as const;

describe("the platform", () => {
  let stack: TestStack;
  const results: FaultResult[] = [];

  async function survives(fault: string, harm: () => Promise<void>): Promise<void> {
    try {
      const result = await suffer(stack, access(stack), fault, harm);
      results.push(result);
      expect.soft(result, "no accepted order is lost").toMatchObject({ lost: 0 });
    } catch (error) {
      expect.soft(String(error), `after ${fault}`).toBe("whole again");
      // The next fault is to meet a platform that is whole.
      for (const name of await ailing(stack)) await docker("restart", name);
    }
  }

  beforeAll(async () => {
    stack = await testStack("faults");
    const up = await stack.npm("up", "--http-port", String(stack.httpPort), "--https-port", String(stack.httpsPort));
    expect(up.code, up.stdout + up.stderr).toBe(0);
  });
  afterAll(async () => {
    process.stdout.write(`${faultTable(results)}\n`);
    if (process.env.UPDATE_DOCS !== undefined) {
      const [head = ""] = readFileSync(PAGE, "utf8").split(BEGIN);
      const rest = readFileSync(PAGE, "utf8").split(END)[1] ?? "";
      writeFileSync(PAGE, `${head}${BEGIN}\n${faultTable(results)}\n${END}${rest}`);
    }
    await stack.remove();
  });

  test("loses no accepted order when the processes of any container are killed, and is whole again by itself", async () => {
    for (const workload of await running(stack)) {
      await survives(`${workload} is killed`, async () => killed(await stack.container(workload)));
    }
  });

  test.each([
    ["postgres", 60],
    ["redis", 30],
    ["nats", 30],
    ["risk-manager", 30],
  ] as const)("loses no accepted order when %s stands still for %i s", async (workload, seconds) => {
    await survives(`${workload} stands still for ${seconds} s`, async () =>
      frozen(await stack.container(workload), seconds),
    );
  });

  test.each([
    ["gateway-api", "data"],
    ["risk-manager", "apps"],
    ["execution-crypto", "apps"],
    ["nats", "apps"],
  ] as const)("loses no accepted order when %s is cut off from the segment %s", async (workload, segment) => {
    await survives(`${workload} is cut off from ${segment} for 20 s`, () => cutOff(stack, workload, segment, 20));
  });
});
