import { describe, expect, it } from "vitest";
import type { Daemon } from "../../../tools/lib/daemon.ts";
import { killSwitch } from "../../../tools/lib/killSwitch.ts";

/** A daemon whose risk-manager runs, or is down; what it is asked to do is kept. */
function daemonWhere(runs: boolean) {
  const asked: string[][] = [];
  const daemon = {
    container: async () => "risk-manager-1",
    ask: async () => "sha256:abc 10001:10001 TZ=UTC KILL_SWITCH_FILE=/data/kill-switch",
    run: async (args: string[], { input }: { input?: string }) => {
      asked.push(args);
      const code = args[0] === "exec" && !runs ? 1 : 0;
      return { code, stdout: code === 0 ? `${input ?? ""}\n` : "", stderr: "" };
    },
  };
  return { asked, daemon: daemon as unknown as Daemon };
}

describe("the kill switch's command", () => {
  it("works inside risk-manager while it runs, and hands the reason over by its standard input", async () => {
    const { asked, daemon } = daemonWhere(true);
    expect(await killSwitch(daemon, "on", { reason: "mad" })).toBe('{"reason":"mad"}');
    expect(asked).toHaveLength(1);
    expect(asked.flat().join(" ")).not.toContain("mad");
  });

  it("works on its volume while it is down, by its own user, without a network", async () => {
    const { asked, daemon } = daemonWhere(false);
    await killSwitch(daemon, "on", { reason: "mad" });
    const [, started = []] = asked;
    expect(started.join(" ")).toMatch(/^run --rm .*--network none --read-only --cap-drop ALL --user 10001:10001/);
    expect(started).toEqual(expect.arrayContaining(["KILL_SWITCH_FILE=/data/kill-switch", "risk-manager-1"]));
  });
});
