import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Move } from "../../../../tools/lib/move/context.ts";
import { runMove } from "../../../../tools/lib/move/run.ts";
import type { Seen } from "../../../../tools/lib/move/side.ts";
import { type MoveStep, moveSteps } from "../../../../tools/lib/move/steps.ts";

/** A side that notes what it is told, and shows the files of a test. */
function side(files: readonly string[]) {
  const told: string[] = [];
  return {
    told,
    address: "192.0.2.1",
    look: async (): Promise<Seen> => ({ files: new Set(files), record: undefined }),
    run: async (action: string) => {
      told.push(action);
      return "";
    },
  };
}
function moveOf(from: ReturnType<typeof side>, to = side([])) {
  return { from, to, record: { since: "x" }, workspace: { stack: "s" }, seen: {} } as unknown as Move;
}

beforeEach(() => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("the steps of a move", () => {
  const done = (files: readonly string[], onNew: readonly string[]) => {
    const seen = (names: readonly string[]): Seen => ({ files: new Set(names), record: undefined });
    const move = { record: { since: "x" } } as unknown as Move;
    return moveSteps
      .filter(({ isDone }) => isDone({ from: seen(files), to: seen(onNew) }, move))
      .map(({ name }) => name);
  };
  const names = moveSteps.map(({ name }) => name);
  const before = names.slice(0, names.indexOf("fence") + 1);

  it("have names and words of their own, by which a test ends them", () => {
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(moveSteps.map(({ says }) => says)).size).toBe(names.length);
  });

  it("stop the old host from the stop to the fence, and at no other time", () => {
    expect(moveSteps.filter(({ isStopped }) => isStopped).map(({ name }) => name)).toEqual(
      names.slice(names.indexOf("stop"), names.indexOf("fence") + 1),
    );
  });

  it("copy and compare again until the fence, and never after it", () => {
    expect(done(["state.json", "prepared"], [])).toEqual(["keep-state", "platform"]);
    expect(done(["state.json", "prepared", "fenced"], [])).toEqual(before.slice(1));
    expect(done(["state.json", "prepared", "fenced"], ["released", "stated", "finished"])).toEqual(names.slice(1));
  });
});

describe("a run of the steps", () => {
  const step = (name: string, change: Partial<MoveStep> = {}): MoveStep => ({
    ...{ name, says: name, takes: "a moment", isDone: () => false, run: async () => undefined },
    ...change,
  });

  it("leaves out what the hosts show as done", async () => {
    const run = vi.fn(async () => undefined);
    await runMove(moveOf(side([])), [step("one", { isDone: () => true, run }), step("two", { run })]);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("starts the old host again if a step fails while it is stopped", async () => {
    const fails = async () => {
      throw new Error("a copy failed");
    };
    const [from, to] = [side([]), side([])];
    await expect(runMove(moveOf(from, to), [step("copy", { isStopped: true, run: fails })])).rejects.toThrow("a copy");
    expect([from.told, to.told]).toEqual([["resume"], ["stop-all"]]);
  });

  it("starts nothing there once it is fenced, nor where a step fails before the stop", async () => {
    const fails = async () => {
      throw new Error("failed");
    };
    const fenced = side(["fenced"]);
    await expect(runMove(moveOf(fenced), [step("fence", { isStopped: true, run: fails })])).rejects.toThrow("failed");
    const serving = side([]);
    await expect(runMove(moveOf(serving), [step("follow", { run: fails })])).rejects.toThrow("failed");
    expect([...fenced.told, ...serving.told]).toEqual([]);
  });
});
