import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { parse } from "yaml";
import { goTool } from "../../tools/lib/buildTools.ts";
import { run } from "../../tools/lib/run.ts";
import { https, login } from "./lib/http.ts";
import { type TestStack, testStack } from "./lib/stack.ts";
import { token } from "./lib/trading.ts";

const secret = () => randomBytes(24).toString("base64url");

describe("an old installation's .env", () => {
  let stack: TestStack;
  let said = "";
  const old = {
    REDIS_PASSWORD: secret(),
    POSTGRES_PASSWORD: randomBytes(16).toString("hex"),
    JWT_SECRET: randomBytes(32).toString("hex"),
    GF_SECURITY_ADMIN_PASSWORD: secret(),
    FINNHUB_API_KEY: secret(),
  };

  async function adopt(name: string, variables: object): Promise<number> {
    const path = join(stack.home, name);
    const lines = Object.entries(variables).map(([variable, value]) => `${variable}=${value}\n`);
    writeFileSync(path, lines.join(""), { mode: 0o600 });
    const { code, stdout, stderr } = await stack.autollm("import", path);
    said = stdout + stderr;
    return code;
  }

  beforeAll(async () => {
    stack = await testStack("adopt");
  });
  afterAll(async () => {
    await stack.remove();
  });

  test("with known defaults is refused by name, and nothing is set", async () => {
    expect(await adopt("weak.env", { ...old, POSTGRES_PASSWORD: "autollm123", JWT_SECRET: "changeme" })).toBe(1);
    expect(said).toContain("POSTGRES_PASSWORD: is a known default");
    expect(said).toContain("JWT_SECRET: is a known default");
    expect(said).not.toMatch(/autollm123|changeme/);
  });

  test("is taken into the stack's config, encrypted, without a value being printed", async () => {
    const plain = { SMTP_HOST: "smtp.example.com", SMTP_PORT: "587", REPORT_RECIPIENTS: "a@example.org,b@example.org" };
    expect(await adopt("old.env", { ...old, ...plain, FREQTRADE_HOST: "10.0.0.7:8080", LIVE: "1" }), said).toBe(0);
    expect(said).toContain("JWT_SECRET becomes jwt, encrypted");
    expect(said).toContain("REDIS_PASSWORD is ignored: each service has a Redis user of its own");
    expect(said).toContain("LIVE is ignored");
    const config = readFileSync(join(stack.home, `Pulumi.${stack.name}.yaml`), "utf8");
    // What is no secret is readable there, and a shorter list takes the place of a longer one.
    expect(said).toContain("REPORT_RECIPIENTS becomes mail.recipients, in plain");
    expect(config).toContain("autollm:freqtradeHost: 10.0.0.7:8080");
    const mail = (text: string) => (parse(text) as { config: Record<string, unknown> }).config["autollm:mail"];
    expect(mail(config)).toEqual({
      host: "smtp.example.com",
      port: 587,
      recipients: ["a@example.org", "b@example.org"],
    });
    const again = join(stack.home, "again.env");
    writeFileSync(again, "REPORT_RECIPIENTS=c@example.org\n");
    expect((await stack.autollm("import", again, "--overwrite")).code).toBe(0);
    const replaced = readFileSync(join(stack.home, `Pulumi.${stack.name}.yaml`), "utf8");
    expect(mail(replaced)).toMatchObject({ host: "smtp.example.com", recipients: ["c@example.org"] });
    for (const value of Object.values(old)) {
      expect(said).not.toContain(value);
      expect(config).not.toContain(value);
    }
  });

  test("is read where sops encrypted it, and refused in one line where its key is not here", async () => {
    const [sops, keygen] = [await goTool("sops"), await goTool("age-keygen")];
    const identity = join(stack.home, "age.txt");
    await run(keygen, ["-o", identity]);
    const recipient = (await run(keygen, ["-y", identity])).stdout.trim();
    const [plain, encrypted] = [join(stack.home, "plain.env"), join(stack.home, "sops.env.enc")];
    const value = secret();
    writeFileSync(plain, `OPENAI_API_KEY=${value}\n`, { mode: 0o600 });
    const types = ["--input-type", "dotenv", "--output-type", "dotenv"];
    await run(sops, ["encrypt", "--age", recipient, ...types, "--output", encrypted, plain]);
    vi.stubEnv("PATH", `${dirname(sops)}:${process.env.PATH}`);
    onTestFinished(() => void vi.unstubAllEnvs());

    const locked = await stack.autollm("import", encrypted);
    expect(locked.code).toBe(1);
    expect(locked.stderr).toMatch(/^error: sops could not decrypt .*: is its key here\?.*\n$/);
    vi.stubEnv("SOPS_AGE_KEY_FILE", identity);
    const opened = await stack.autollm("import", encrypted);
    expect(opened.code, opened.stderr).toBe(0);
    expect(opened.stderr).toMatch(/OPENAI_API_KEY becomes .*, encrypted/);
    expect(opened.stdout + opened.stderr).not.toContain(value);

    // The same by the installation's directory.
    const directory = join(stack.home, "old");
    mkdirSync(directory);
    renameSync(encrypted, join(directory, ".env.enc"));
    const found = await stack.autollm("import", directory, "--overwrite");
    expect(found.code, found.stderr).toBe(0);
    expect(found.stderr).toMatch(/OPENAI_API_KEY becomes .*, encrypted/);
    expect(found.stdout + found.stderr).not.toContain(value);
  });

  test("leaves what runs its passwords", async () => {
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    const host = await stack.address("postgres", "postgres");
    for (const user of ["gateway_api", "portfolio_ledger", "reporter"]) {
      const client = new Client({ host, user, password: old.POSTGRES_PASSWORD, database: "autollm" });
      await client.connect();
      await client.end();
    }
    const grafana = `${stack.url}/grafana/api/org`;
    expect((await https(grafana, { headers: login("admin", old.GF_SECURITY_ADMIN_PASSWORD) })).status).toBe(200);
    const authorization = `Bearer ${token(old.JWT_SECRET)}`;
    expect((await https(`${stack.url}/api/orders/none`, { headers: { authorization } })).status).toBe(404);
    expect(await stack.output("trading")).toBe("paper");
  });

  test("gives way to a generated value by `./autollm rotate`", async () => {
    const { code, stdout, stderr } = await stack.autollm("rotate", "postgres-reporter", "--yes");
    expect(code, stdout + stderr).toBe(0);
    expect(stdout + stderr).toContain("a generated value in place of the one you supplied");
    const host = await stack.address("postgres", "postgres");
    const client = new Client({ host, user: "reporter", password: old.POSTGRES_PASSWORD, database: "autollm" });
    await expect(client.connect()).rejects.toThrow(/password authentication failed/);
  });
});
