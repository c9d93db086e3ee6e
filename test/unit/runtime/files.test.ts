import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeFiles, Files, keyedDigest } from "../../../components/runtime/files.ts";
import { quote } from "../../../components/shell.ts";
import { type Recorded, record } from "../lib/mocks.ts";
import { randomText } from "../lib/values.ts";

const COMMAND = "command:local:Command";
const KEY = "00".repeat(32);

describe("the lines of a directory's content", () => {
  it("are sorted, so that the same files are the same text", () => {
    expect(encodeFiles({ b: "2", "a/c": "1" })).toBe("a/c MQ==\nb Mg==\n");
    expect(encodeFiles({ "a/c": "1", b: "2" })).toBe(encodeFiles({ b: "2", "a/c": "1" }));
  });

  it("keep any content to one line", () => {
    const odd = "first\nsecond \0 é '\"$(id)\n\n";
    const [path, text] = encodeFiles({ odd }).trimEnd().split(" ");
    expect(path).toBe("odd");
    expect(Buffer.from(text ?? "", "base64").toString()).toBe(odd);
  });
});

describe("the hash that names a directory", () => {
  const content = encodeFiles({ secret: randomText(8) });
  it("is 64 bits in hex, and the same for the same key and content", () => {
    expect(keyedDigest(KEY, content)).toMatch(/^[0-9a-f]{16}$/);
    expect(keyedDigest(KEY, content)).toBe(keyedDigest(KEY, content));
  });
  it("cannot be guessed from the content without the key", () => {
    expect(keyedDigest("11".repeat(32), content)).not.toBe(keyedDigest(KEY, content));
  });
  it("changes with the content", () => expect(keyedDigest(KEY, `${content}x`)).not.toBe(keyedDigest(KEY, content)));
});

describe("a quoted word", () => {
  it.each(["plain", "two words", "it's", '$(id) `id` \\ "', "'; rm -rf /; '", "a\nb", "*"])(
    "%j arrives as it is",
    (word) => {
      expect(execFileSync("sh", ["-c", `printf %s ${quote(word)}`], { encoding: "utf8" })).toBe(word);
    },
  );
});

describe("a workload's files on the host", () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "files-"));
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  /** Declares the directory, and runs its scripts as the engine would. */
  async function declare(files: Readonly<Record<string, string>>, folder = "base") {
    const filesDir = join(parent, folder);
    const recording = await record(() => {
      const provider = new docker.Provider("docker", {});
      const target = {
        docker: provider,
        dockerSocket: "unix:///none",
        filesDir,
        environment: "local",
        healthInterval: 30,
        labels: {},
      };
      const secret = Object.fromEntries(Object.entries(files).map(([path, text]) => [path, pulumi.secret(text)]));
      return { files: new Files("web-files", { target, files: secret, digestKey: pulumi.secret(KEY) }) };
    });
    const command = recording.find(COMMAND, "web-files");
    const path = join(filesDir, `web-files-${keyedDigest(KEY, encodeFiles(files))}`);
    return { command, path, filesDir };
  }

  const run = (script: unknown, stdin = "") =>
    spawnSync("sh", ["-c", String(script)], { input: stdin, encoding: "utf8" });
  const create = ({ inputs }: Recorded) => {
    const { status, stdout, stderr } = run(inputs.create, String(inputs.stdin));
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  };
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

  it("are written byte for byte, folders included", async () => {
    const files = { "run-secrets/env/TOKEN": randomText(20), "etc/a.conf": "x = 1\n", empty: "", odd: "é\0\n\n'$x" };
    const { command, path } = await declare(files);
    create(command);
    for (const [name, text] of Object.entries(files)) expect(readFileSync(join(path, name), "utf8")).toBe(text);
  });

  it("may be entered only through a directory that is closed to others, and read by any user inside the container", async () => {
    const { command, path, filesDir } = await declare({ "etc/a": "1" });
    mkdirSync(filesDir, { mode: 0o755 });
    create(command);
    expect([mode(filesDir), mode(path), mode(join(path, "etc")), mode(join(path, "etc/a"))]).toEqual([
      "700",
      "755",
      "755",
      "644",
    ]);
  });

  it("appear complete: an interrupted write leaves nothing to mount, and the next one repairs it", async () => {
    const { command, path } = await declare({ a: "whole", b: "text" });
    expect(run(command.inputs.create, "a d2hvbGU=\nb !!not-base64!!\n").status).not.toBe(0);
    expect(existsSync(path)).toBe(false);
    create(command);
    expect(readdirSync(path).sort()).toEqual(["a", "b"]);
    expect(existsSync(`${path}.new`)).toBe(false);
  });

  it("stay as they are when the script runs again, since a running container may have them mounted", async () => {
    const { command, path } = await declare({ a: "1" });
    create(command);
    const { ino } = statSync(path);
    create(command);
    expect(statSync(path).ino).toBe(ino);
  });

  it("are gone after the delete, what an interrupted write left included, and other directories stay", async () => {
    const { command, path, filesDir } = await declare({ a: "1" });
    create(command);
    mkdirSync(`${path}.new`);
    mkdirSync(join(filesDir, "other-files-0123"));
    expect(run(command.inputs.delete).status).toBe(0);
    expect(readdirSync(filesDir)).toEqual(["other-files-0123"]);
    expect(run(command.inputs.delete).status).toBe(0);
  });

  it("may lie below a path with blanks and quotes", async () => {
    const { command, path } = await declare({ a: "1" }, "it's a $(exit 9) path");
    create(command);
    expect(readFileSync(join(path, "a"), "utf8")).toBe("1");
    expect(run(command.inputs.delete).status).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it("are not readable to others while they are being written", async () => {
    const { command, filesDir } = await declare({ a: "1" });
    create(command);
    chmodSync(filesDir, 0o755);
    create(command);
    expect(mode(filesDir)).toBe("700");
  });

  it("reach the script on its standard input alone, as a secret", async () => {
    const value = randomText(32);
    const { command } = await declare({ token: value });
    expect(command.secretInputs).toContain("stdin");
    expect(command.secretOutputs).toContain("stdin");
    expect(command.inputs).toMatchObject({ logging: "none", addPreviousOutputInEnv: false });
    const { stdin, ...visible } = command.inputs;
    for (const form of [value, Buffer.from(value).toString("base64")])
      expect(JSON.stringify(visible)).not.toContain(form);
    expect(stdin).toBe(encodeFiles({ token: value }));
  });

  it("move to a new directory when their content changes, so that a reader is replaced", async () => {
    const [before, after] = [await declare({ a: "1" }), await declare({ a: "2" })];
    expect(after.path).not.toBe(before.path);
    expect(after.command.inputs.triggers).not.toEqual(before.command.inputs.triggers);
  });
});
