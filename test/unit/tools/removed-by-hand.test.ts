import { chmodSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PlatformSwitch } from "../../../tools/lib/platformSwitch.ts";
import { bringBack, missing, removedByHand } from "../../../tools/lib/removedByHand.ts";
import type { RunOptions } from "../../../tools/lib/run.ts";
import type { Workspace } from "../../../tools/lib/workspace.ts";
import { fakeDocker } from "../lib/fakeDocker.ts";

/** A program in Docker's place: it lists what a file names, or fails where there is none. */
const script = `shift 2
[ "$2" = ls ] && cat "$DOCKER_HOME/there"
`;

const resource = (kind: "container" | "network" | "volume", name: string, id: string) => ({
  urn: `urn:pulumi:x::autollm::docker:index/${kind}::${name}`,
  type: `docker:index/${kind}:${kind.replace(/^./, (letter) => letter.toUpperCase())}`,
  id,
});
const resources = [
  resource("container", "redis", "c1"),
  resource("volume", "redis-data", "redis-data-1"),
  resource("network", "redis", "n1"),
  { urn: "urn:step", type: "command:local:Command", id: "s1" },
];

let home: string;
let imported: string | undefined;
beforeEach(() => {
  home = fakeDocker(script);
  imported = undefined;
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(home, { recursive: true });
});

const dockerHas = (...ids: readonly string[]) => writeFileSync(join(home, "there"), `${ids.join("\n")}\n`);

const stackOf = (trading: string) => ({
  urn: "urn:pulumi:x::autollm::pulumi:pulumi:Stack::autollm-x",
  type: "pulumi:pulumi:Stack",
  outputs: { trading },
});

/** A stack with the resources above, which trades as told. */
function workspace(trading: "paper" | "live" = "paper", known: readonly object[] = resources): Workspace {
  const pulumi = async ([, verb]: readonly string[], { input }: RunOptions = {}) => {
    if (verb === "import") imported = input;
    const answers: Readonly<Record<string, object>> = {
      export: { version: 3, deployment: { resources: [...known, stackOf(trading)] } },
    };
    return { code: 0, stdout: JSON.stringify(answers[verb ?? ""] ?? {}), stderr: "" };
  };
  return { stack: "x", cwd: home, local: true, pulumi } as unknown as Workspace;
}

/** The ids of what the state names now. */
const left = () =>
  (JSON.parse(imported ?? "") as { deployment: { resources: { id?: string }[] } }).deployment.resources.flatMap(
    ({ id }) => id ?? [],
  );

it("is what the state names and Docker does not have", () => {
  expect(missing({ resources }, new Set(["c1", "redis-data-1"]))).toEqual([
    { kind: "network", name: "redis", id: "n1" },
  ]);
});

describe("an update of a stack", () => {
  it("leaves the state alone where all is there", async () => {
    dockerHas("c1", "n1", "redis-data-1", "of-another-stack");
    await bringBack(workspace(), { resources });
    expect(imported).toBeUndefined();
  });

  it("does not ask Docker before there is anything, and takes no silence for an empty daemon", async () => {
    expect(await removedByHand(workspace("paper", []))).toEqual([]);
    expect(await removedByHand(workspace())).toEqual([]);
  });

  it("leaves a config with faults to the program, which names them all", async () => {
    dockerHas("n1");
    writeFileSync(join(home, "Pulumi.x.yaml"), "config:\n  autollm:logLevl: debug\n");
    await bringBack(workspace(), { resources });
    expect(imported).toBeUndefined();
  });

  it("connects to nobody from a machine without the host's key, as previews in CI are", async () => {
    writeFileSync(join(home, "ssh"), `#!/bin/sh\necho called >"$DOCKER_HOME/called"\n`);
    chmodSync(join(home, "ssh"), 0o755);
    const host = `host:\n    address: 192.0.2.7\n    hostKey: ssh-ed25519 AAAA\n    privateKeyPath: ${home}/none`;
    writeFileSync(join(home, "Pulumi.x.yaml"), `config:\n  autollm:${host}\n`);
    expect(await removedByHand(workspace())).toEqual([]);
    expect(existsSync(join(home, "called"))).toBe(false);
  });

  it("makes a container and a network again that were removed", async () => {
    dockerHas("redis-data-1");
    await bringBack(workspace(), { resources });
    expect(left()).toEqual(["redis-data-1", "s1"]);
  });

  it("refuses to make an empty volume that nobody asked for, and says what to do", async () => {
    dockerHas("n1");
    const refused = bringBack(workspace(), { resources });
    await expect(refused).rejects.toThrow(/volume redis-data\. Nothing was changed/);
    await expect(refused).rejects.toThrow(/up --new-volume redis-data/);
    expect(imported).toBeUndefined();
  });

  it("makes it where it is named", async () => {
    dockerHas("n1");
    await bringBack(workspace(), { resources }, ["redis-data"]);
    expect(left()).toEqual(["n1", "s1"]);
  });

  it("refuses the name of a volume that is there", async () => {
    dockerHas("c1", "n1", "redis-data-1");
    await expect(bringBack(workspace(), { resources }, ["redis-data"])).rejects.toThrow(
      "--new-volume redis-data: no volume of that name is gone. Nothing was changed",
    );
  });

  it("trades no real money on an empty store", async () => {
    dockerHas("n1");
    let on = false;
    vi.spyOn(PlatformSwitch, "of").mockImplementation(
      async () => ({ run: async () => ({ on }) }) as unknown as PlatformSwitch,
    );
    await expect(bringBack(workspace("live"), { resources }, ["redis-data"])).rejects.toThrow(
      /First: .*kill-switch on/,
    );
    expect(imported).toBeUndefined();
    on = true;
    await bringBack(workspace("live"), { resources }, ["redis-data"]);
    expect(imported).toBeDefined();
  });
});
