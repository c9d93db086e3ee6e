import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemFault } from "../../../components/nodeVersion.cjs";
import { causeOf, causes } from "../../../tools/lib/causes.ts";
import { run } from "../../../tools/lib/run.ts";
import { StackFile } from "../../../tools/lib/stackFile.ts";

/** What was seen, and the line that it becomes. */
const seen: readonly (readonly [string, string, RegExp])[] = [
  [
    "a wrong passphrase",
    "error: getting stack configuration: get stack secrets manager: incorrect passphrase",
    /^the passphrase does not open .*PULUMI_CONFIG_PASSPHRASE_FILE/,
  ],
  [
    "no passphrase",
    "error: could not create secrets manager for new stack: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables",
    /have a passphrase and none is set: set PULUMI_CONFIG_PASSPHRASE_FILE/,
  ],
  [
    "no login",
    "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
    /^no backend is chosen .*pulumi login/,
  ],
  [
    "a cloud that refuses the connection",
    'Logging in using access token from PULUMI_ACCESS_TOKEN\nerror: performing HTTP request: Get "https://127.0.0.1:1/api/user": dial tcp 127.0.0.1:1: connect: connection refused',
    /does not answer: https:\/\/127\.0\.0\.1:1 \(connect: connection refused\)\. Nothing was changed/,
  ],
  [
    "a cloud without a name",
    'error: performing HTTP request: Get "https://nosuchhost.invalid/api/user": dial tcp: lookup nosuchhost.invalid on 192.0.2.53:53: no such host',
    /does not answer: https:\/\/nosuchhost\.invalid \(.*no such host\)/,
  ],
  [
    "a bucket that is away",
    'error: read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): operation error S3: GetObject, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , HostID: , request send failed, Get "http://127.0.0.1:1/bucket/.pulumi/meta.yaml?x-id=GetObject": dial tcp 127.0.0.1:1: connect: connection refused',
    /does not answer: http:\/\/127\.0\.0\.1:1 \(connect: connection refused\)/,
  ],
  [
    "a folder that is away",
    'error: unable to open state directory "file:///nonexistent/dir": stat /nonexistent/dir: no such file or directory',
    /is not there: file:\/\/\/nonexistent\/dir\. Nothing was changed/,
  ],
  [
    "a stack that the backend lacks",
    "error: no stack named 'staging' found",
    /no stack staging: .*pulumi stack init staging/,
  ],
  [
    "a home that cannot be written to",
    "EACCES: permission denied, mkdir '/home/op/.cache/autollm-trader/engine/parts'",
    /^\/home\/op\/\.cache\/autollm-trader\/engine\/parts cannot be written to: .*AUTOLLM_CACHE/,
  ],
  [
    "a read-only file system",
    "EROFS: read-only file system, open '/home/op/trader/.pulumi-local/passphrase'",
    /passphrase cannot be written to/,
  ],
  [
    "a read-only home, in Go's words",
    "go build ended with exit code 1:\ngo: could not create module cache: mkdir /home/op/go: permission denied",
    /^\/home\/op\/go cannot be written to: .*GOPATH/,
  ],
  ["a full disk", "ENOSPC: no space left on device, write", /^a disk of this machine is full/],
];

describe("a fault outside the project is one line that says how to fix it", () => {
  it.each(seen)("%s", (_, said, line) => {
    const told = causeOf(said);
    expect(told).toMatch(line);
    expect(told).not.toContain("\n");
  });

  it("and each row of the table is one that was seen", () => {
    const used = new Set(seen.map(([, said]) => causes.find(({ shows }) => shows.test(said))));
    expect(causes.filter((cause) => !used.has(cause))).toEqual([]);
  });

  it.each([
    "Cannot read properties of undefined (reading 'x')",
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
    "",
  ])("but no other fault is taken for one: %j", (said) => expect(causeOf(said)).toBeUndefined());

  it("also where a command fails by it, without a stack trace", async () => {
    const denied = `import { main } from "./tools/lib/log.ts"; await main(async () => { throw new Error("EACCES: permission denied, mkdir '/home/op/.cache'"); });`;
    expect(
      (await run(process.execPath, ["--input-type=module", "--eval", denied], { allowFailure: true })).stderr,
    ).toMatch(/^error: \/home\/op\/\.cache cannot be written to: [^\n]+\n$/);
  });
});

it("a config's faults are told without a stack trace, by whatever command meets them", async () => {
  const faulty = `import { ConfigError } from "./components/settings.ts"; import { main } from "./tools/lib/log.ts"; await main(async () => { throw new ConfigError(["logLevl: is no known key"]); });`;
  const { code, stderr } = await run(process.execPath, ["--input-type=module", "--eval", faulty], {
    allowFailure: true,
  });
  expect([code, stderr]).toEqual([1, "error: the stack's config has a fault:\n  - logLevl: is no known key\n"]);
});

describe("a stack's file with a merge conflict", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "autollm-conflict-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("is named with the line of the first mark", () => {
    const path = join(folder, "Pulumi.staging.yaml");
    writeFileSync(
      path,
      "config:\n<<<<<<< HEAD\n  autollm:logLevel: info\n=======\n  autollm:logLevel: debug\n>>>>>>> main\n",
    );
    expect(() => new StackFile(path)).toThrow(`${path}: line 2 is the mark of a merge conflict: keep one side`);
  });

  it("and a text that only underlines is none", () => {
    const path = join(folder, "Pulumi.staging.yaml");
    writeFileSync(path, "# =======\nconfig:\n  autollm:logLevel: info\n");
    expect(new StackFile(path).get("logLevel")).toBe("info");
  });
});

it("another system than Linux is one line", () => {
  expect(systemFault("linux")).toBeUndefined();
  expect(systemFault("darwin")).toMatch(/^this machine runs macOS, .* Linux/);
  expect(systemFault("win32")).toMatch(/WSL 2$/);
});
