import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plainSecrets } from "../../../../tools/lib/plainSecrets.ts";
import { root } from "../../../../tools/lib/workspace.ts";
import { randomText } from "../../lib/values.ts";

const config = (yaml: string) => plainSecrets(`config:\n  ${yaml}\n`);
const pem = ["-----BEGIN", "OPENSSH PRIVATE KEY-----"].join(" ");

describe("a secret in plain text", () => {
  it.each([
    ["a credential's own key", `autollm:openai: ${randomText(24)}`, "config.autollm:openai"],
    ["a name that promises one", `autollm:smtpPassword: ${randomText(8)}`, "config.autollm:smtpPassword"],
    ["one below another key", `autollm:host: { token: ${randomText(8)} }`, "config.autollm:host.token"],
    ["a number as password", "autollm:adminPassword: 123456", "config.autollm:adminPassword"],
    ["a private key anywhere", `autollm:domain: "${pem}"`, "config.autollm:domain"],
    [
      "the account of live trading",
      "autollm:trading: { live: true, liveConfirm: U1234567 }",
      "config.autollm:trading.liveConfirm",
    ],
    ["a login in a URL", "autollm:dockerHost: tcp://me:pw@docker:2375", "config.autollm:dockerHost"],
    ["one in a list", `autollm:symbols: [SPY, "ghp_${randomText(24)}"]`, "config.autollm:symbols.1"],
    ["one that is only called encrypted", `autollm:openai: { secure: typed-by-hand }`, "config.autollm:openai.secure"],
  ])("is found: %s", (_, yaml, path) => expect(config(yaml)).toEqual([path]));

  it.each([
    ["encrypted", "autollm:openai: { secure: v1:abc:def }"],
    ["a generation", "autollm:generation: { redis: 2, grafana-admin: 3 }"],
    ["a path to a key", "autollm:host: { privateKeyPath: ~/.ssh/id_ed25519 }"],
    ["a public key", "autollm:host: { hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ }"],
    ["an image", `autollm:release: { reporter: { image: "registry.example/reporter@sha256:${"0".repeat(64)}" } }`],
  ])("is nothing that is %s", (_, yaml) => expect(config(yaml)).toEqual([]));

  it("is in none of the repository's stacks", () => {
    const files = readdirSync(root).filter((name) => /^Pulumi\..+\.yaml$/.test(name));
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const file of files) expect(plainSecrets(readFileSync(join(root, file), "utf8")), file).toEqual([]);
  });
});
