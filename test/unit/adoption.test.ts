import { generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isCredentialName } from "../../components/credentials/catalogue.ts";
import { rawKeyPair } from "../../components/credentials/keys.ts";
import { adoptable, adoption } from "../../tools/lib/adoption.ts";

const secret = () => randomBytes(24).toString("base64url");
const noFile = () => undefined;
const taken = (text: string) => adoption(text, noFile).taken.map(({ credential }) => credential);

describe("the variables of an old installation", () => {
  it("become credentials that the catalogue knows", () => {
    for (const { credentials } of Object.values(adoptable))
      for (const name of credentials) expect(isCredentialName(name), name).toBe(true);
  });

  it("are taken with their value as it is: quotes, comments and `export` are dotenv's", () => {
    const [finnhub, jwt] = [secret(), secret()];
    const { taken: found, faults } = adoption(
      `# old\nexport FINNHUB_API_KEY="${finnhub}"\nJWT_SECRET=${jwt} # key\n`,
      noFile,
    );
    expect(faults).toEqual([]);
    expect(found.map(({ credential, value }) => [credential, value === finnhub || value === jwt])).toEqual([
      ["finnhub", true],
      ["jwt", true],
    ]);
  });

  it("give every Postgres role the password that all shared, so that no login changes", () => {
    expect(taken(`POSTGRES_PASSWORD=${secret()}\n`)).toEqual([
      "postgres-gateway-api",
      "postgres-portfolio-ledger",
      "postgres-reporter",
    ]);
  });

  it("leave Redis's password behind, since each service has a user of its own there", () => {
    const { taken: found, ignored } = adoption(`REDIS_PASSWORD=${secret()}\n`, noFile);
    expect(found).toEqual([]);
    expect(ignored).toEqual([{ variable: "REDIS_PASSWORD", why: expect.stringContaining("a Redis user of its own") }]);
  });

  it("name a signing key's file, of which the seed is taken", () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const seed = rawKeyPair(privateKey.export({ type: "pkcs8", format: "pem" }).toString()).privateSeed;
    const files = (path: string) => (path === "secrets/llm" ? `${seed}\n` : undefined);
    const text = "LLM_SIGNING_PRIVATE_KEY_PATH=secrets/llm\nRISK_SIGNING_PRIVATE_KEY_PATH=secrets/risk\n";
    const { taken: found, faults } = adoption(text, files);
    expect(found.map(({ credential, value }) => [credential, value === seed])).toEqual([["llm-signing-private", true]]);
    expect(faults).toEqual([expect.stringMatching(/^RISK_SIGNING_PRIVATE_KEY_PATH: names a file that cannot be read/)]);
  });

  it("are refused by name when they are known defaults, short or easy to guess, all at once and without their value", () => {
    const weak = {
      POSTGRES_PASSWORD: "autollm123",
      GF_SECURITY_ADMIN_PASSWORD: "Admin",
      JWT_SECRET: "k3Xz9",
      OPENAI_API_KEY: "your_openai_key",
    };
    const text = Object.entries(weak).map(([name, value]) => `${name}=${value}\n`);
    const { faults, taken: found } = adoption(`${text.join("")}MINIFLUX_TOKEN=${secret()}\n`, noFile);
    expect(faults.map((fault) => fault.split(":")[0])).toEqual(Object.keys(weak).sort());
    for (const value of Object.values(weak)) expect(faults.join("\n")).not.toContain(value);
    expect(found.map(({ credential }) => credential)).toEqual(["miniflux"]);
  });

  it("may not contradict each other", () => {
    const { faults } = adoption(`PAGERDUTY_ROUTING_KEY=${secret()}\nPAGERDUTY_SERVICE_KEY=${secret()}\n`, noFile);
    expect(faults).toEqual([expect.stringContaining("says another pagerduty-key than PAGERDUTY_ROUTING_KEY")]);
  });

  it("that nothing here reads, are empty, or would trade live are told, and not taken", () => {
    const { ignored, taken: found } = adoption("LIVE=1\nFINNHUB_API_KEY=\nCOMPOSE_PROJECT_NAME=x\n", noFile);
    expect(found).toEqual([]);
    expect(ignored.map(({ variable }) => variable)).toEqual(["COMPOSE_PROJECT_NAME", "FINNHUB_API_KEY", "LIVE"]);
    expect(ignored[2]?.why).toContain("trading.liveConfirm");
  });
});
