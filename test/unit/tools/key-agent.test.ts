import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readKeyPair } from "../../../components/host/keys.ts";
import { withKey } from "../../../tools/lib/keyAgent.ts";
import { run } from "../../../tools/lib/run.ts";

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
    const { program, args } = withKey(engine, ["up", "--stack", "x"], config);
    const ended = await run(program, args, { allowFailure: true });
    expect(ended).toMatchObject({ code: 7, stdout: "up --stack x\n" });
    const keyOf = (file: string) => readFileSync(file, "utf8").trim().split(" ").slice(0, 2);
    expect(keyOf(join(home, "keys"))).toEqual(keyOf(`${key}.pub`));
    // The agent looks every ten seconds whether its command lives.
    const socket = readFileSync(join(home, "socket"), "utf8").trim();
    await vi.waitFor(() => expect(existsSync(socket)).toBe(false), { timeout: 30_000, interval: 500 });
  }, 40_000);

  it("is asked for by no command that connects to nobody, and by no stack without a host", () => {
    writeFileSync(config, "config:\n  autollm:host:\n    address: 192.0.2.1\n");
    for (const args of [
      ["stack", "export"],
      ["up", "--help"],
    ])
      expect(withKey("pulumi", args, config)).toEqual({ program: "pulumi", args, env: {} });
    writeFileSync(config, "config:\n  autollm:host: {}\n");
    for (const file of [config, join(home, "missing")])
      expect(withKey("pulumi", ["up"], file)).toEqual({ program: "pulumi", args: ["up"], env: {} });
  });

  it("is missed by no preview: Docker's provider is told that a daemon answers, and anything else is refused", async () => {
    writeFileSync(config, `config:\n  autollm:host:\n    address: 192.0.2.1\n    privateKeyPath: ${key}\n`);
    expect(withKey("pulumi", ["preview"], config).env, "with a key").toEqual({});
    rmSync(key);
    const { program, env } = withKey("pulumi", ["preview", "--stack", "x"], config, "/engine/bin:/usr/bin");
    expect(env.PATH, "the engine's own programs").toMatch(/:\/engine\/bin:\/usr\/bin$/);
    expect(program).toBe("pulumi");
    for (const args of [
      ["preview", "--refresh"],
      ["preview", "-r"],
      ["preview", "--refresh=true"],
    ])
      expect(withKey("pulumi", args, config).env, "looking at the world wants a key").toEqual({});
    const [folder = ""] = env.PATH?.split(":") ?? [];
    const ssh = (words: readonly string[], input = "") =>
      run(join(folder, "ssh"), ["deployer@192.0.2.1", "--", ...words], { input, allowFailure: true });
    const request = (line: string) => `${line} HTTP/1.1\r\nHost: docker.example.com\r\n\r\n`;
    const dial = ["docker", "system", "dial-stdio"];
    const answers = await ssh(
      dial,
      request("HEAD /_ping") + request("GET /v1.41/_ping") + request("POST /v1.41/containers/create"),
    );
    expect(answers.stdout.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 403"]);
    expect(await ssh(["true"])).toMatchObject({ code: 255, stdout: "" });
    expect((await ssh(["docker", "ps"])).stderr).toContain("connects to nobody");
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
