import { describe, expect, it } from "vitest";
import { fixedCredentials } from "../../components/credentials/fixed.ts";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { isStackRule, message, type StackSubject, type Subject } from "../../policies/lib/rule.ts";
import { CONTAINER } from "../../policies/lib/types.ts";
import type { Props } from "../../policies/lib/value.ts";
import { rules } from "../../policies/rules/index.ts";
import type { Recorded } from "../unit/lib/mocks.ts";
import { localConfig, runPlatform } from "../unit/lib/platform.ts";
import { secret } from "./fixtures.ts";

const declared = ({ type, name, urn, inputs, protect }: Recorded): Subject => ({
  type,
  name,
  urn,
  props: inputs as Props,
  protect,
});

function became(resources: readonly Recorded[]): readonly StackSubject[] {
  return resources.map((resource) => ({
    ...declared(resource),
    // Only the inputs are free of the wire's wrapping of secrets.
    props: { ...resource.outputs, ...resource.inputs } as Props,
    dependencies: [],
    propertyDependencies: {},
  }));
}

/** All that the mandatory rules say of everything that a run registered. */
async function verdict(resources: readonly Recorded[]): Promise<readonly string[]> {
  const subjects = became(resources);
  const messages = rules
    .filter(({ level }) => level === "mandatory")
    .map(async (rule) => {
      if (isStackRule(rule)) {
        return [...rule.checkStack(subjects)].map((finding) => message(rule, finding.subject, finding));
      }
      const judged = resources.filter(({ type }) => rule.types === "every" || rule.types.includes(type)).map(declared);
      const found = await Promise.all(
        judged.map(async (subject) => [...(await rule.check(subject))].map((fault) => message(rule, subject, fault))),
      );
      return found.flat();
    });
  return (await Promise.all(messages)).flat();
}

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
const remote = (environment: string) => ({
  environment,
  domain: "trader.example.com",
  bindAddress: "0.0.0.0",
  httpPort: "80",
  httpsPort: "443",
  imageSource: "registry",
  release: JSON.stringify(release),
  backup: JSON.stringify({ image: `registry.example/backup@sha256:${"5c".repeat(32)}`, s3: "s3:https://s3.example/b" }),
  ...supplied,
});
const run = (config: Readonly<Record<string, string>>) => runPlatform({ config, secretKeys: Object.keys(supplied) });

describe("the whole platform breaks no rule", { timeout: 60_000 }, () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    ["local", { ...localConfig, ...supplied }],
    ["staging", remote("staging")],
    ["production", remote("production")],
  ])("%s", async (_, config) => {
    expect(await verdict((await run(config)).resources)).toEqual([]);
  });
});

describe("the platform is refused", { timeout: 60_000 }, () => {
  it("with weak credentials from its owner", async () => {
    const weak = {
      openai: "changeme",
      finnhub: "Y2hhbmdlbWU=",
      miniflux: "Passw0rd2026!",
      "alpaca-news": "asdfghjkl98765",
      "binance-key": "k3yK3y",
      "tws-userid": "eDemo",
    };
    const { resources } = await run({ ...remote("production"), ...weak });
    const faults = await verdict(resources);
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
