import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { checkConfig } from "../../components/settings.ts";
import { randomText } from "./lib/values.ts";

const read = (file: string): unknown => parse(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"));
const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

const stackFile = z.strictObject({ config: z.record(z.string().startsWith("autollm:"), z.unknown()) });
const projectFile = z.object({
  name: z.literal("autollm"),
  config: z.record(
    z.string(),
    z.looseObject({ type: z.string(), description: z.string(), default: z.unknown().optional() }),
  ),
});

const digest = `sha256:${"ab".repeat(32)}`;
/** What the first release adds to a file that has none yet. */
const released = {
  "autollm:release": Object.fromEntries(serviceNames.map((name) => [name, { image: `example/${name}@${digest}` }])),
  "autollm:backup": { image: `example/backup@${digest}` },
  "autollm:edge": { image: `example/edge-sockets@${digest}` },
};
/** What only the owner can supply. */
const login = ["autollm:tws-userid", "autollm:tws-password"];

const settingsOf = (stack: string) => {
  const { config } = stackFile.parse(read(`Pulumi.${stack}.yaml`));
  const logins = Object.fromEntries(login.map((key) => [key, randomText(24)]));
  const whole = Object.entries(stack === "local" ? config : { ...released, ...logins, ...config });
  return checkConfig(Object.fromEntries(whole.map(([key, value]) => [key, text(value)])), new Set(login)).settings;
};

describe("the stacks' files", () => {
  it.each(["local", "staging", "production"])("Pulumi.%s.yaml is right, and trades on paper", (stack) => {
    const settings = settingsOf(stack);
    expect(settings.environment).toBe(stack);
    expect(settings.trading).toEqual({ live: false, sandbox: [] });
  });

  it("keep the local stack on the loopback", () => expect(settingsOf("local").bindAddress).toBe("127.0.0.1"));

  it.each([
    ["staging", "staging.bototo.willhardy.fr"],
    ["production", "bototo.willhardy.fr"],
  ])("put %s at %s, on 80 and 443", (stack, domain) => {
    expect(settingsOf(stack)).toMatchObject({ domain, httpPort: 80, httpsPort: 443, imageSource: "registry" });
  });
});

describe("Pulumi.yaml", () => {
  const { config } = projectFile.parse(read("Pulumi.yaml"));
  const defaults = checkConfig({}, new Set()).settings;

  it("lists every setting with its default, `host` as empty, since Pulumi takes a key without a default for required", () => {
    const listed = Object.entries(config);
    expect(listed.filter(([, entry]) => !("default" in entry)).map(([key]) => key)).toEqual([]);
    expect(listed.map(([key]) => key).sort()).toEqual([...Object.keys(defaults), "host"].sort());
    const given = listed.map(([key, entry]) => [`autollm:${key}`, text(entry.default)] as const);
    expect(checkConfig(Object.fromEntries(given), new Set()).settings).toEqual(defaults);
  });

  it.each(Object.entries(config))("%s is a setting that there is, and has a meaning", (key, { description }) => {
    expect(description.length).toBeGreaterThan(10);
    // An array is wrong for most settings; what counts is that the key is known.
    const check = () => checkConfig({ [`autollm:${key}`]: "[]" }, new Set());
    expect(check).not.toThrow(/is no known key/);
  });
});
