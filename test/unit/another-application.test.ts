import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { root } from "../../tools/lib/workspace.ts";
import { acme } from "./lib/acme.ts";
import type { Recording } from "./lib/mocks.ts";
import { runProduction } from "./lib/platform.ts";

// The table joins the others before any other module reads them, as if its row stood in the index.
vi.mock("../../components/platform/applications/index.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../components/platform/applications/index.ts")>();
  const { acme: table } = await import("./lib/acme.ts");
  const applications = { ...original.applications, acme: table };
  return {
    applications,
    applicationNames: Object.keys(applications),
    isApplication: (name: string) => name in applications,
  };
});

const page = readFileSync(join(root, "docs", "application.md"), "utf8");

describe("the table that docs/application.md shows", () => {
  it("is the one that is tried here", () => {
    const [, shown] = /```ts\n\/\/ components\/platform\/applications\/acme\.ts\n([\s\S]*?)```/.exec(page) ?? [];
    const tried = readFileSync(join(root, "test", "unit", "lib", "acme.ts"), "utf8")
      .replace("../../../components/platform/applications/", "./")
      .replace("../../../components/platform/", "../");
    const ordered = (text: string) => text.split("\n").filter((line) => !line.startsWith("import "));
    expect(ordered(shown ?? "")).toEqual(ordered(tried));
    for (const line of tried.split("\n").filter((each) => each.startsWith("import "))) expect(shown).toContain(line);
  });

  it("leaves out no key that a table or a row may have", async () => {
    const { startSchema } = await import("../../components/platform/release.ts");
    const [, section] = /## Keys of `release\.NAME`([\s\S]*?)\n## /.exec(page) ?? [];
    for (const key of [...Object.keys(startSchema.shape), "recorded"]) expect(section, key).toContain(`| \`${key}\` |`);
    for (const key of Object.keys(acme)) expect(page, key).toContain(`| \`${key}\` |`);
  });
});

describe("a second application", () => {
  let platform: Recording;
  beforeAll(async () => {
    platform = await runProduction({
      application: "acme",
      mail: JSON.stringify({ host: "smtp.example.com", recipients: ["a@example.org", "b@example.org"] }),
    });
  });
  const secretFile = (service: Parameters<Recording["files"]>[0], name: string) =>
    String(platform.files(service)[`run-secrets/env/${name}`]);
  const variable = (service: string, name: string) =>
    platform
      .container(service)
      .envs?.find((each) => each.startsWith(`${name}=`))
      ?.slice(name.length + 1);

  it("has its own settings, and what holds a credential lies in a file", () => {
    expect(JSON.parse(secretFile("gateway-api", "ACME_AUTH"))).toEqual({
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      issuer: "https://trader.example.com",
    });
    expect(JSON.parse(secretFile("gateway-api", "ACME_STORE")).dsn).toMatch(
      /^postgresql:\/\/gateway_api:.+@postgres:5432\//,
    );
    expect(secretFile("risk-manager", "ACME_BUS")).toMatch(/^tls:\/\/risk-manager:.+@nats:4222$/);
    expect(variable("risk-manager", "ACME_SIGN")).toBe("/run/secrets/files/risk_signing_private_key");
    expect(variable("gateway-api", "ACME_AUTH")).toBeUndefined();
    // Nobody has supplied a password: that member is left out.
    expect(JSON.parse(secretFile("reporter", "ACME_MAIL"))).toEqual({
      server: "smtp.example.com",
      to: ["a@example.org", "b@example.org"],
    });
  });

  it("starts as its rows say, and by the image's own command where they say nothing", () => {
    expect(platform.container("risk-manager").command).toEqual([
      ...["/run/autollm/start.sh", "/srv/acme", "risk", "--limits", "/etc/autollm/limits.yaml"],
    ]);
    expect(platform.container("gateway-api").command).toEqual(["/run/autollm/start.sh", "/app/start"]);
    expect(platform.container("llm-agents")).toMatchObject({ memory: 3072 });
    expect(variable("llm-agents", "HOME")).toBe("/home/acme");
    expect(platform.container("backtest-engine").networksAdvanced).toHaveLength(1);
  });

  it("has its files, and the volume that two of its services share", () => {
    const limits = parse(String(platform.files("risk-manager")["etc-autollm/limits.yaml"]));
    expect(limits).toMatchObject({ order_usd: 5000, instruments: ["BTC/USD", "ETH/USD", "SPY"] });
    const at = (service: string) =>
      platform.container(service).mounts?.find(({ target }) => target === "/srv/state")?.source;
    expect(at("risk-manager")).toBe(at("gateway-api"));
  });
});
