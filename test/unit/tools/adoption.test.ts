import { generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isCredentialName } from "../../../components/credentials/catalogue.ts";
import { rawKeyPair } from "../../../components/credentials/keys.ts";
import { adoptable, adoption, groups, notTaken } from "../../../tools/lib/adoption.ts";

const secret = () => randomBytes(24).toString("base64url");
const noFile = () => undefined;
const taken = (text: string) => adoption(text, noFile).taken.map(({ credential }) => credential);

/** The names of the old application's template, and those that it reads by themselves. */
const TEMPLATE = [
  ...[
    "ENVIRONMENT",
    "LOG_LEVEL",
    "TIMEZONE",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_DB",
    "REDIS_USERNAME",
    "REDIS_PASSWORD",
  ],
  ...["REDIS_TLS_ENABLED", "REDIS_URL", "OPENAI_API_KEY", "FINNHUB_API_KEY", "BINANCE_API_KEY", "BINANCE_API_SECRET"],
  ...["KRAKEN_API_KEY", "KRAKEN_API_SECRET", "COINBASE_API_KEY", "COINBASE_API_SECRET", "COINBASE_API_PASSPHRASE"],
  ...["IB_USERID", "IB_PASSWORD", "VNC_PASSWORD", "SMTP_USERNAME", "SMTP_HOST", "SMTP_PORT", "REPORT_RECIPIENTS"],
  ...[
    "MINIFLUX_API_TOKEN",
    "MINIFLUX_WEBHOOK_SECRET",
    "FREQTRADE_API_TOKEN",
    "FREQTRADE_HOST",
    "DUCKDB",
    "RISK",
    "LLM",
  ],
];

describe("the variables of an old installation", () => {
  it("become credentials that the catalogue knows", () => {
    for (const target of Object.values(adoptable))
      for (const name of "credentials" in target ? target.credentials : [])
        expect(isCredentialName(name), name).toBe(true);
  });

  it("are taken with their value as it is: quotes, comments and `export` are docker compose's", () => {
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
    expect(faults).toEqual([
      expect.stringMatching(/^line 2: RISK_SIGNING_PRIVATE_KEY_PATH: names a file that cannot be read/),
    ]);
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
    expect(faults.map((fault) => fault.split(": ")[1])).toEqual(Object.keys(weak));
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
    expect(ignored.map(({ variable }) => variable)).toEqual(["LIVE", "FINNHUB_API_KEY", "COMPOSE_PROJECT_NAME"]);
    expect(ignored[0]?.why).toContain("trading.liveConfirm");
  });

  it("that come in groups are taken by their members, and a group that is no JSON is refused with its line", () => {
    const [jwt, mail, token] = [secret(), secret(), secret()];
    const text = [
      `AUTH={"jwt_secret":"${jwt}","webauthn_origin":"https://example.org"}`,
      `REPORTER='{"smtp_password":"${mail}","smtp_host":"mail.example.org","report_recipients":["a@example.org"]}'`,
      `TELEGRAM_BOT_TOKEN=${token}`,
      "BROKERS={ib_account:",
    ].join("\n");
    const { taken: found, settings, ignored, faults } = adoption(text, noFile);
    expect(
      found.map(({ variable, credential, value }) => [variable, credential, [jwt, mail, token].indexOf(value)]),
    ).toEqual([
      ["AUTH.jwt_secret", "jwt", 0],
      ["REPORTER.smtp_password", "smtp-password", 1],
      ["TELEGRAM_BOT_TOKEN", "telegram-token", 2],
    ]);
    expect(ignored.map(({ variable }) => variable)).toEqual(["AUTH.webauthn_origin"]);
    expect(settings).toEqual([
      { variable: "REPORTER.smtp_host", setting: "mail.host", values: ["mail.example.org"] },
      { variable: "REPORTER.report_recipients", setting: "mail.recipients", values: ["a@example.org"] },
    ]);
    expect(faults).toEqual([expect.stringMatching(/^line 4: BROKERS: is no JSON object/)]);
  });

  it("of the old application are all known: each is taken, or told why not", () => {
    const plain = [...Object.values(groups).flatMap((members) => Object.values(members)), ...TEMPLATE];
    for (const name of plain) expect(adoptable[name] ?? notTaken[name], name).toBeDefined();
    for (const name of Object.keys(notTaken)) expect(adoptable[name], name).toBeUndefined();
    // Nothing is passed over in silence, a member of a group neither.
    const text = plain.map((name) => `${name}=${name === "REPORT_RECIPIENTS" ? "a@example.org" : secret()}\n`).join("");
    const { taken: found, settings, ignored, faults } = adoption(`${text}REPORTER={"colour":"red"}\n`, () => secret());
    const told = new Set([...found, ...settings, ...ignored].map(({ variable }) => variable));
    for (const name of [...plain, "REPORTER.colour"])
      expect(told.has(name) || faults.some((fault) => fault.includes(`: ${name}: `)), name).toBe(true);
  });

  it("that are no secrets become plain settings, checked as the config checks them", () => {
    const settingsOf = (text: string) => adoption(text, noFile);
    const { settings, taken: found } = settingsOf(
      "SMTP_HOST=mail.example.org\nSMTP_PORT=587\nREPORT_RECIPIENTS='a@example.org, b@example.org'\nFREQTRADE_HOST=http://10.0.0.7:8080\n",
    );
    expect(found).toEqual([]);
    expect(settings.map(({ setting, values }) => [setting, values])).toEqual([
      ["mail.host", ["mail.example.org"]],
      ["mail.port", ["587"]],
      ["mail.recipients", ["a@example.org", "b@example.org"]],
      ["freqtradeHost", ["http://10.0.0.7:8080"]],
    ]);
    const { faults } = settingsOf(
      "SMTP_HOST=localhost\nSMTP_PORT=smtp\nREPORT_RECIPIENTS=nobody\nFREQTRADE_HOST=http://me:secret@freqtrade\n",
    );
    expect(faults.map((fault) => fault.split(": ").slice(0, 2).join(": "))).toEqual([
      "line 1: SMTP_HOST",
      "line 2: SMTP_PORT",
      "line 3: REPORT_RECIPIENTS",
      "line 4: FREQTRADE_HOST",
    ]);
  });

  it("keep every character, or are refused by name and line, and never shortened", () => {
    const half = secret();
    const kept = (line: string) => adoption(`JWT_SECRET=${line}\n`, noFile).taken.map(({ value }) => value);
    expect(kept(`${half}#${half}`)).toEqual([`${half}#${half}`]);
    expect(kept(`"${half}#\\"${half}" # why`)).toEqual([`${half}#"${half}`]);
    expect(kept(`'${half}$$${half}'`)).toEqual([`${half}$$${half}`]);
    expect(kept(`${half}$$${half}\r`)).toEqual([`${half}$${half}`]);
    expect(kept(`"${half}\n${half}"`)).toEqual([`${half}\n${half}`]);
    for (const line of [
      `${half}$lost`,
      `"${half}`,
      `'${half}''${half}'`,
      `"${half}"${half}`,
      `" ${half}"`,
      `\${X:-${half}}`,
    ]) {
      const { taken: found, faults } = adoption(`\uFEFF# old\nJWT_SECRET=${line}\n`, noFile);
      expect(found, line.replaceAll(half, "_")).toEqual([]);
      expect(faults[0]).toMatch(/^line 2: JWT_SECRET: /);
      expect(faults.join()).not.toContain(half);
    }
  });
});
