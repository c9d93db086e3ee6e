import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const script = new URL("../../../components/platform/start.sh", import.meta.url).pathname;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "start-wrapper-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const put = (name: string, content: string) => writeFileSync(join(directory, name), content);

function start(program: readonly string[], environment: Record<string, string> = {}) {
  return spawnSync("sh", [script, ...program], {
    encoding: "utf8",
    env: { PATH: process.env.PATH, AUTOLLM_SECRET_ENV_DIR: directory, ...environment },
  });
}

/** What the started program sees in its environment. */
function environmentOf(environment: Record<string, string> = {}): Record<string, string> {
  const { stdout, stderr, status } = start(["env", "-0"], environment);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const pairs = stdout.split("\0").filter((pair) => pair !== "");
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}

const shells: Readonly<Record<string, readonly string[]>> = {
  dash: ["dash"],
  bash: ["bash", "--posix"],
  "BusyBox sh": ["busybox", "sh"],
};
const here = Object.entries(shells).filter(([, [program = ""]]) => spawnSync("which", [program]).status === 0);

describe.each(here)("the start wrapper in %s", (_, shell) => {
  const run = (environment: Record<string, string>, words: string) => {
    const [program = "", ...options] = shell;
    const started = spawnSync(program, [...options, script, "sh", "-c", words], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, AUTOLLM_SECRET_ENV_DIR: directory, AUTOLLM_SCRATCH: directory, ...environment },
    });
    expect(started.stderr).toBe("");
    return started.stdout;
  };

  it("puts the name of its NATS user, which is its container's alone, wherever a file has the mark", () => {
    put("MESSAGING", '{"a":"tls://@@NATS_USER@@:x@nats","b":"@@NATS_USER@@"}');
    put("OTHER", "@@NATS_USER");
    const words = 'printf "%s %s" "$MESSAGING" "$OTHER"';
    expect(run({ NATS_USER: "execution-ib.1a2b" }, words)).toBe(
      '{"a":"tls://execution-ib.1a2b:x@nats","b":"execution-ib.1a2b"} @@NATS_USER',
    );
  });

  it("makes the home that is set, and lets a group write where the platform says so", () => {
    const home = join(directory, "made", "home");
    // What is beside the credentials here is none of them.
    const secrets = join(directory, "env");
    mkdirSync(secrets);
    const words = 'umask; echo "$HOME"; env | grep -c AUTOLLM_UMASK; [ -d "$HOME" ] && echo there';
    const said = run({ HOME: home, AUTOLLM_UMASK: "002", AUTOLLM_SECRET_ENV_DIR: secrets }, words);
    expect(said.replace(/^0+/, "")).toBe(`2\n${home}\n0\nthere\n`);
  });

  it("makes a file of the authorities that the image trusts and the platform's own, and tells every client of it", () => {
    put("own.pem", "system");
    put("platform.pem", "platform\n");
    const words =
      'cat "$SSL_CERT_FILE"; echo "$SSL_CERT_FILE $REQUESTS_CA_BUNDLE $CURL_CA_BUNDLE $NODE_EXTRA_CA_CERTS"';
    const ca = { NATS_CA_PATH: join(directory, "platform.pem"), SSL_CERT_FILE: join(directory, "own.pem") };
    // What is beside the credentials here is none of them.
    const secrets = join(directory, "env");
    mkdirSync(secrets);
    const bundle = join(directory, "ca-bundle.pem");
    expect(run({ ...ca, AUTOLLM_SECRET_ENV_DIR: secrets }, words)).toBe(
      `system\nplatform\n${bundle} ${bundle} ${bundle} ${ca.NATS_CA_PATH}\n`,
    );
  });

  it("gives a user without a home one that can be written to, and leaves another's alone", () => {
    expect(run({ HOME: "/proc/self/nothing" }, 'echo "$HOME"')).toBe(`${directory}\n`);
    expect(run({}, 'echo "$HOME"')).toBe(`${directory}\n`);
    expect(run({ HOME: tmpdir() }, 'echo "$HOME"')).toBe(`${tmpdir()}\n`);
  });

  it("reads credentials verbatim, and completes URLs", () => {
    put("ODD", " $(id) 'x' \\ * é\n\n");
    put("REDIS_PASSWORD", "p@ss/word");
    expect(run({ REDIS_USERNAME: "u" }, 'printf "%s|%s" "$ODD" "$REDIS_URL"')).toBe(
      " $(id) 'x' \\ * é\n|redis://u:%70%40%73%73%2f%77%6f%72%64@redis:6379/0",
    );
  });
});

it("the wrapper is tried in each shell that images have", () => {
  expect(here.length).toBeGreaterThan(1);
});

describe("the start wrapper", () => {
  it("turns files into variables, verbatim but for one last newline", () => {
    put("PLAIN", "value");
    put("NEWLINE", "value\n");
    put("MANY", "first\nsecond\n\n\n");
    put("EMPTY", "");
    const odd = " $(id) `id` \"quoted\" 'single' \\ * é ";
    put("ODD", odd);
    expect(environmentOf()).toMatchObject({
      PLAIN: "value",
      NEWLINE: "value",
      MANY: "first\nsecond\n\n",
      EMPTY: "",
      ODD: odd,
    });
  });

  it("replaces itself by the program, with its arguments and its exit code", () => {
    const { stdout, status } = start(["sh", "-c", 'printf "%s|" "$@"; exit 7', "name", "a b", "*"]);
    expect(stdout).toBe("a b|*|");
    expect(status).toBe(7);
  });

  it("runs without any credential", () => {
    expect(environmentOf()).not.toHaveProperty("REDIS_URL");
    rmSync(directory, { recursive: true });
    expect(environmentOf()).not.toHaveProperty("NATS_URL");
  });

  it.each(["lower", "WITH-DASH", "1ST", "SP ACE", "A=B"])("refuses the name %s", (name) => {
    put(name, "x");
    const { status, stderr } = start(["true"]);
    expect(status).toBe(64);
    expect(stderr).toContain(name);
  });

  it.each(["PATH", "LD_PRELOAD", "NODE_OPTIONS", "ENV"])("refuses %s, which steers the program", (name) => {
    put(name, "x");
    expect(start(["true"]).status).toBe(64);
  });

  it("fails on what it cannot read, and names it without its value", () => {
    mkdirSync(join(directory, "FOLDER"));
    const { status, stderr } = start(["true"]);
    expect(status).toBe(64);
    expect(stderr).toContain("FOLDER");
  });

  it("fails when no program is named", () => expect(start([]).status).toBe(64));

  it("completes the URLs with the login", () => {
    put("REDIS_PASSWORD", "abc123\n");
    put("NATS_PASSWORD", "def456");
    const environment = environmentOf({
      NATS_USER: "risk-manager",
      NATS_URL: "tls://nats:4222",
      REDIS_HOST: "r",
      REDIS_DB: "2",
    });
    expect(environment.REDIS_URL).toBe("redis://:abc123@r:6379/2");
    expect(environment.NATS_URL).toBe("tls://risk-manager:def456@nats:4222");
  });

  it("names the Redis user where there is one", () => {
    put("REDIS_PASSWORD", "abc123\n");
    const environment = environmentOf({ REDIS_USERNAME: "gateway-api-even" });
    expect(environment.REDIS_URL).toBe("redis://gateway-api-even:abc123@redis:6379/0");
  });

  it("percent-encodes a supplied password, so that any URL parser gets it back", () => {
    const password = "p@ss:w/ö?#%&1\u{1F511} x".repeat(3);
    put("REDIS_PASSWORD", password);
    const url = new URL(environmentOf().REDIS_URL ?? "");
    expect(decodeURIComponent(url.password)).toBe(password);
    expect(url.hostname).toBe("redis");
  });

  it("leaves a URL alone that has a login", () => {
    put("REDIS_PASSWORD", "abc");
    expect(environmentOf({ REDIS_URL: "redis://u:p@h:1/0" }).REDIS_URL).toBe("redis://u:p@h:1/0");
  });

  it("keeps values out of the command line and of its own output", () => {
    put("JWT_SECRET", "0123456789abcdef0123456789abcdef");
    const { stdout, stderr } = start(["sh", "-c", "tr '\\0' ' ' </proc/$$/cmdline"]);
    expect(stdout + stderr).not.toContain("0123456789abcdef");
  });

  it("is a script that its own shell accepts", () => {
    expect(() => execFileSync("sh", ["-n", script])).not.toThrow();
  });
});
