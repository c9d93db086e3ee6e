import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, describe, expect, it } from "vitest";
import { exchanges, fixedCredentials } from "../../components/credentials/fixed.ts";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { CONTAINER } from "../../policies/lib/types.ts";
import { hostSetting, localConfig, runPlatform } from "../unit/lib/platform.ts";
import { secret } from "./fixtures.ts";
import { verdict } from "./judge.ts";

/** What an owner supplies, in the form in which it is issued. */
const ISSUED: Readonly<Record<string, string>> = {
  "ib-account": "U7654321",
  "tws-userid": "trader77x",
  "smtp-user": "admin",
  "telegram-chat": "-1001234567890",
  "telegram-token": `1234567890:${secret(26).slice(0, 35)}`,
  "slack-webhook": `https://hooks.slack.com/services/T0000/B0000/${secret(18)}`,
};
const supplied = Object.fromEntries(
  Object.entries(fixedCredentials)
    .filter(([, spec]) => spec.kind === "supplied")
    .map(([name]) => [name, ISSUED[name] ?? secret()]),
);
const release = Object.fromEntries(
  serviceNames.map((name) => [name, { image: `registry.example/${name}:1.0@sha256:${"4b".repeat(32)}` }]),
);
/** Its keys are of the sandboxes: the platform trades on paper. */
const trading = JSON.stringify({ sandbox: exchanges });
const remote = (environment: string) => ({
  environment,
  trading,
  domain: "trader.example.com",
  bindAddress: "0.0.0.0",
  httpPort: "80",
  httpsPort: "443",
  imageSource: "registry",
  release: JSON.stringify(release),
  edge: JSON.stringify({ image: `registry.example/edge-sockets@sha256:${"5c".repeat(32)}` }),
  backup: JSON.stringify({ image: `registry.example/backup@sha256:${"5c".repeat(32)}`, s3: "s3:https://s3.example/b" }),
  ...supplied,
});
const run = (config: Readonly<Record<string, string>>) => runPlatform({ config, secretKeys: Object.keys(supplied) });

const folder = mkdtempSync(join(tmpdir(), "autollm-host-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the whole platform breaks no rule", { timeout: 60_000 }, () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    ["local", { ...localConfig, ...supplied, trading }],
    ["staging", remote("staging")],
    ["production", remote("production")],
    ["production, on a host that it sets up", { ...remote("production"), host: hostSetting(folder) }],
    // Two services share a volume, and the batch job has a way out.
    ["production, of another application", { ...remote("production"), application: "autollm" }],
  ])("%s", async (_, config) => {
    expect(await verdict((await run(config)).resources)).toEqual([]);
  });
});

it("what services share is theirs by what is declared, and by nothing else", { timeout: 60_000 }, async () => {
  const { resources } = await run({ ...remote("production"), application: "autollm" });
  // The same resources, judged by a config that declares nothing.
  pulumi.runtime.setAllConfig({ "autollm:application": "conventions" });
  const said = (await verdict(resources)).join("\n");
  expect(said).toMatch(/"risk-manager": mounts.* is the volume app-gateway-api-app-data, which is gateway-api's/);
  expect(said).toMatch(/"risk-manager": groupAdds\[0\] is 70101/);
  expect(said).toMatch(/"backtest-engine": networksAdvanced joins segment egress/);
});

describe("the platform is refused", { timeout: 60_000 }, () => {
  const weak: Readonly<Record<string, string>> = {
    openai: "changeme",
    finnhub: "Y2hhbmdlbWU=",
    miniflux: "Passw0rd2026!",
    "alpaca-news": "asdfghjkl98765",
    "binance-key": "k3yK3y",
    "tws-userid": "eDemo",
  };

  it("with weak credentials from its owner, by the program: all at once, and before any resource is registered", async () => {
    const error: unknown = await run({ ...remote("production"), ...weak }).catch((thrown: unknown) => thrown);
    const message = error instanceof Error ? error.message : "";
    expect([...message.matchAll(/^ {2}- ([\w-]+): /gm)].map(([, name]) => name).sort()).toEqual(
      Object.keys(weak).sort(),
    );
    for (const value of Object.values(weak)) expect(message).not.toContain(value);
  });

  it("with an exchange's key, where nothing says that it is of a sandbox or that trading is live", async () => {
    const { resources } = await run(remote("production"));
    const bare = resources.map((resource) => {
      const labels = resource.inputs.labels as { label: string }[] | undefined;
      if (resource.type !== CONTAINER || labels === undefined) return resource;
      const left = labels.filter(({ label }) => label !== "autollm.sandbox");
      return { ...resource, inputs: { ...resource.inputs, labels: left } };
    });
    const found = (await verdict(bare)).filter((fault) =>
      / trades at \w+, and execution-crypto trades on paper/.test(fault),
    );
    expect(found).toHaveLength(8);
  });

  it("with weak credentials in its files, by the pack as well", async () => {
    const { resources } = await run(remote("production"));
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const swapped = resources.map((resource) => {
      let stdin = resource.inputs.stdin;
      if (typeof stdin !== "string") return resource;
      for (const [name, value] of Object.entries(weak))
        stdin = String(stdin).replaceAll(` ${base64(supplied[name] ?? "")}\n`, ` ${base64(value)}\n`);
      return { ...resource, inputs: { ...resource.inputs, stdin } };
    });
    const faults = await verdict(swapped);
    const files = faults.map((fault) => /^Command "([\w-]+)-files": stdin file (\S+) /.exec(fault)?.slice(1).join(" "));
    expect(files.sort()).toEqual(
      [
        "execution-crypto run-secrets/env/BINANCE_API_KEY",
        "ib-gateway run-secrets/tws-userid",
        "llm-agents run-secrets/env/OPENAI_API_KEY",
        "news-ingestor run-secrets/env/ALPACA_NEWS_API_KEY",
        "news-ingestor run-secrets/env/MINIFLUX_TOKEN",
        "data-ingestor run-secrets/env/FINNHUB_API_KEY",
      ].sort(),
    );
    for (const value of Object.values(weak)) expect(faults.join("\n")).not.toContain(value);
  });

  it("when a container gets another's files", async () => {
    const { resources } = await run(localConfig);
    const mounts = (workload: string) =>
      resources.find(({ type, name }) => type === CONTAINER && name === workload)?.inputs.mounts;
    const swapped = resources.map((resource) =>
      resource.type === CONTAINER && resource.name === "news-ingestor"
        ? { ...resource, inputs: { ...resource.inputs, mounts: mounts("redis-exporter") } }
        : resource,
    );
    expect((await verdict(swapped)).join("\n")).toContain("holds redis-exporter, which news-ingestor is not granted");
  });
});
