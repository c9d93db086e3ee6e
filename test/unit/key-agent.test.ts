import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readKeyPair } from "../../components/host/keys.ts";
import { withKey } from "../../tools/lib/keyAgent.ts";
import { run } from "../../tools/lib/run.ts";

describe("the deployments' key", () => {
  let home: string;
  let key: string;
  let config: string;
  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), "autollm-test-"));
    key = join(home, "key");
    config = join(home, "Pulumi.x.yaml");
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key]);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    rmSync(home, { recursive: true });
  });

  it("is an SSH agent's while the engine works, and no longer", async () => {
    writeFileSync(config, `config:\n  autollm:host:\n    address: 192.0.2.1\n    privateKeyPath: ${key}\n`);
    // In the engine's place: it tells which keys it finds, where, and what it was told to do.
    const engine = join(home, "pulumi");
    writeFileSync(
      engine,
      `#!/bin/sh\nssh-add -L > "${home}/keys"\necho "$SSH_AUTH_SOCK" > "${home}/socket"\necho "$@"; exit 7\n`,
    );
    chmodSync(engine, 0o755);
    const ended = await run(...withKey(engine, ["up", "--stack", "x"], config), { allowFailure: true });
    expect(ended).toMatchObject({ code: 7, stdout: "up --stack x\n" });
    const keyOf = (file: string) => readFileSync(file, "utf8").trim().split(" ").slice(0, 2);
    expect(keyOf(join(home, "keys"))).toEqual(keyOf(`${key}.pub`));
    // The agent looks every ten seconds whether its command lives.
    const socket = readFileSync(join(home, "socket"), "utf8").trim();
    await vi.waitFor(() => expect(existsSync(socket)).toBe(false), { timeout: 30_000, interval: 500 });
  }, 40_000);

  it("is asked for by no command that connects to nobody, and by no stack without a host", () => {
    writeFileSync(config, "config:\n  autollm:host:\n    address: 192.0.2.1\n");
    for (const args of [["preview"], ["stack", "export"], ["up", "--help"]])
      expect(withKey("pulumi", args, config)).toEqual(["pulumi", args]);
    writeFileSync(config, "config:\n  autollm:host: {}\n");
    for (const file of [config, join(home, "missing")])
      expect(withKey("pulumi", ["up"], file)).toEqual(["pulumi", ["up"]]);
  });

  it("has a public half that is enough for a preview, and for nothing else", async () => {
    const text = readFileSync(`${key}.pub`, "utf8").trim();
    expect(readKeyPair(key)).toEqual({ publicKey: text });
    rmSync(key);
    expect(() => readKeyPair(key)).toThrow(/host\.privateKeyPath: .*key cannot be read/);
    vi.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(true);
    expect(readKeyPair(key)).toEqual({ publicKey: text });
    rmSync(`${key}.pub`);
    expect(() => readKeyPair(key)).toThrow(/key\.pub cannot be read.*A preview needs the deployments' public key/);
  });
});
