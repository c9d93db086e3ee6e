import { describe, expect, it } from "vitest";
import { raiseGenerations, rollOut, rotationConfig } from "../../../tools/lib/rollover.ts";
import type { Workspace } from "../../../tools/lib/workspace.ts";

type Tables = Record<string, Record<string, string | number>>;

/** A workspace whose config is in memory, and whose state says which generations run. */
function workspaceOf(config: Tables, running: readonly string[] = []) {
  const answer = (stdout: unknown) => ({ code: 0, stdout: JSON.stringify(stdout), stderr: "" });
  const tables = structuredClone(config);
  const set = (entry: string) => {
    const [path = "", value = ""] = entry.replace("autollm:", "").split("=");
    const [key = "", name = ""] = path.split(".");
    tables[key] = { ...tables[key], [name]: /^\d+$/.test(value) ? Number(value) : value };
  };
  const remove = (path: string) => {
    const [key = "", name] = path.replace("autollm:", "").split(".");
    if (name === undefined) delete tables[key];
    else delete tables[key]?.[name];
  };
  const pulumi = async (args: readonly string[]) => {
    const [group, verb] = args;
    if (group === "stack") {
      const outputs = { stdout: running.map((line) => `${line}\n`).join("") };
      return answer({
        deployment: { resources: [{ urn: "urn:pulumi:x::autollm::command::credential-ages", outputs }] },
      });
    }
    if (verb === "set-all") for (const entry of args.filter((arg) => arg.includes("="))) set(entry);
    else if (verb === "rm") remove(args.at(-1) ?? "");
    const entries = Object.entries(tables).map(([key, objectValue]) => [`autollm:${key}`, { objectValue }]);
    return answer(Object.fromEntries(entries));
  };
  return { tables, workspace: { stack: "x", cwd: "/", local: true, pulumi } as unknown as Workspace };
}

/** The overlap that each update of a roll-out saw. */
async function updates(config: Tables, running: readonly string[] = []) {
  const { tables, workspace } = workspaceOf(config, running);
  const seen: unknown[] = [];
  await rollOut(workspace, async () => void seen.push(structuredClone(tables.overlap ?? {})));
  return { seen, tables };
}

describe("a roll-out", () => {
  it("without a rotation is one update", async () => {
    expect((await updates({})).seen).toEqual([{}]);
    expect((await updates({ generation: { "redis-exporter": 2 } })).seen).toEqual([{}]);
  });

  it("of a signing key is three: the new one is trusted, then used, then the old one is withdrawn", async () => {
    const { seen, tables } = await updates({ generation: { "llm-signing": 2 } }, ["llm-signing 1 1760000000 90"]);
    expect(seen).toEqual([{ "llm-signing": "accept" }, { "llm-signing": "present" }, {}]);
    expect(tables.overlap).toBeUndefined();
  });

  it("goes on where a killed one had stopped", async () => {
    const config = { generation: { "llm-signing": 2 }, overlap: { "llm-signing": "present" } };
    expect((await updates(config, ["llm-signing 2 1760000000 90"])).seen).toEqual([{ "llm-signing": "present" }, {}]);
  });

  it("ends each of two rotations, whatever step it is at", async () => {
    const config = {
      generation: { "llm-signing": 2, "risk-signing": 2 },
      overlap: { "llm-signing": "present", "risk-signing": "accept" },
    };
    const running = ["llm-signing 2 1760000000 90", "risk-signing 2 1760000000 90"];
    const { seen } = await updates(config, running);
    expect(seen).toEqual([{ "llm-signing": "present", "risk-signing": "accept" }, { "risk-signing": "present" }, {}]);
  });
});

describe("the overlap of the tokens' key", () => {
  const now = Math.floor(Date.now() / 1000);
  const running = (since: number, generation = 2) => [`jwt ${generation} 90 ${since}`];
  const overlapping = { generation: { jwt: 2 }, overlap: { jwt: "present" } };

  it("begins with a rotation, in one update, and outlasts it", async () => {
    const { seen, tables } = await updates({ generation: { jwt: 2 } }, running(now, 1));
    expect(seen).toEqual([{ jwt: "present" }]);
    expect(tables.overlap).toEqual({ jwt: "present" });
  });

  it("stays while a token may live, whatever else is rotated, and ends with the first update after that", async () => {
    const young = await updates(overlapping, running(now - 23 * 3600));
    expect(young.seen).toEqual([{ jwt: "present" }]);
    const both = { generation: { jwt: 2, "llm-signing": 2 }, overlap: { jwt: "present" } };
    const beside = await updates(both, [...running(now), "llm-signing 1 90 1760000000"]);
    expect(beside.seen.at(-1)).toEqual({ jwt: "present" });
    expect(beside.seen).toHaveLength(3);
    const old = await updates(overlapping, running(now - 25 * 3600));
    expect(old.seen).toEqual([{}]);
    expect(old.tables.overlap).toBeUndefined();
  });

  it("is that of the newest rotation: one that was raised again has not lasted yet", async () => {
    const again = { generation: { jwt: 3 }, overlap: { jwt: "present" } };
    expect((await updates(again, running(now - 25 * 3600, 2))).seen).toEqual([{ jwt: "present" }]);
  });

  it("never begins where the old key leaked: the generation before the new one is a value that nobody had", async () => {
    const { tables, workspace } = workspaceOf({ generation: { jwt: 2, "llm-signing": 2 } });
    await raiseGenerations(workspace, ["jwt", "llm-signing"], await rotationConfig(workspace), true);
    expect(tables.generation).toEqual({ jwt: 4, "llm-signing": 3 });
    const { seen } = await updates({ generation: { jwt: 4 } }, running(now));
    expect(seen).toEqual([{}]);
  });
});

describe("a raised generation", () => {
  it("is written for all units at once, and a supplied value gives way", async () => {
    const { tables, workspace } = workspaceOf({ generation: { "redis-exporter": 3 } });
    const pinned = new Map([["redis-exporter", ["redis-exporter"]]]);
    const config = { ...(await rotationConfig(workspace)), pinned };
    await raiseGenerations(workspace, ["redis-exporter", "jwt"], config, false);
    expect(tables.generation).toEqual({ "redis-exporter": 4, jwt: 2 });
  });
});
