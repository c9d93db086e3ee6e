import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, it } from "vitest";
import type { Subject } from "../../policies/lib/rule.ts";
import { command, container, filesOf, resource, secret, verdict, verdicts } from "./fixtures.ts";

const KNOWN = [
  "changeme",
  "replace_me",
  "admin",
  "password",
  "autollm123",
  "devredis",
  "edemo",
  "demouser",
  "your_binance_key",
  "secret",
  "test",
  "123456",
];

const base64 = (text: string) => Buffer.from(text).toString("base64");
const percent = (text: string) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join("");

const hash = (algorithm: string, text: string, form: "hex" | "base64") =>
  createHash(algorithm).update(text).digest(form);

const DISGUISES: Readonly<Record<string, (word: string) => string>> = {
  "as it is": (word) => word,
  "in capitals": (word) => word.toUpperCase(),
  "in mixed case": (word) =>
    word.replace(/[a-z]/g, (letter, at: number) => (at % 2 === 0 ? letter.toUpperCase() : letter)),
  "in base64": base64,
  "in base64 without padding": (word) => base64(word).replace(/=+$/, ""),
  "in base64 of base64": (word) => base64(base64(word)),
  "in base64 with a newline": (word) => base64(`${word}\n`),
  "packed and in base64": (word) => gzipSync(word).toString("base64"),
  "in hex": (word) => Buffer.from(word).toString("hex"),
  "percent-encoded": percent,
  "with digits after it": (word) => `${word}2026`,
  "with signs around it": (word) => `!${word}!`,
  "with separators": (word) => [...word].join("-"),
  "with wide letters": (word) => word.replace(/[a-z0-9]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0)),
  "with an invisible sign": (word) => `${word.slice(0, 2)}\u200b${word.slice(2)}`,
  twice: (word) => word + word,
  backwards: (word) => [...word].reverse().join(""),
  "as its MD5": (word) => hash("md5", word, "hex"),
  "as its SHA-256 in base64": (word) => hash("sha256", word, "base64"),
  "as its SHA-512 in capitals": (word) => hash("sha512", word, "hex").toUpperCase(),
  "as its SHA-1 with a newline": (word) => hash("sha1", `${word}\n`, "hex"),
};

const PLACES: Readonly<Record<string, (value: string) => Subject>> = {
  "in the environment": (value) => container({ props: { envs: [`POSTGRES_PASSWORD=${value}`] } }),
  "in a command's arguments": (value) => container({ props: { command: ["redis-server", "--requirepass", value] } }),
  "in one argument": (value) => container({ props: { command: ["serve", `--admin-password=${value}`] } }),
  "in a label": (value) => container({ labels: { "app.token": value } }),
  "in a credential's file": (value) => filesOf("redis", { "run-secrets/redis": value }),
  "in a command's environment": (value) => command({ create: "true", environment: { DB_PASSWORD: value } }),
  "in an upload": (value) =>
    container({ props: { uploads: [{ file: "/x.ini", content: `[db]\npassword = ${value}\n` }] } }),
};

const refused = (subject: Subject) => verdict("credential-not-default", subject);

describe.each(Object.entries(DISGUISES))("a known default %s", (_, disguise) => {
  it.each(Object.entries(PLACES))("is found %s", async (_where, place) => {
    for (const word of KNOWN) {
      // Digits read alike: 123456 has neither case nor leet.
      expect.soft(await refused(place(disguise(word))), `${word}: ${disguise(word)}`).not.toEqual([]);
    }
  });
});

const CARRIERS: Readonly<Record<string, (value: string) => Subject>> = {
  "a URL": (value) => container({ props: { envs: [`DATABASE_URL=postgres://app:${value}@postgres:5432/app`] } }),
  "a percent-encoded URL": (value) =>
    container({ props: { envs: [`REDIS_URL=redis://:${percent(value)}@redis:6379`] } }),
  "a URL's query": (value) => container({ props: { command: [`https://x.example/?user=a&password=${value}&x=1`] } }),
  "a whole URL in base64": (value) => container({ props: { envs: [`X=${base64(`redis://:${value}@redis`)}`] } }),
  "a login for curl": (value) => container({ props: { command: ["curl", "-u", `admin:${value}`, "http://x"] } }),
  "a login for redis-cli": (value) => container({ props: { command: ["redis-cli", "-a", value, "ping"] } }),
  "a flag of mysql": (value) => command({ create: `mysql -uroot -p${value} -e 'select 1'` }),
  "a flag of mysql in quotes": (value) => command({ create: `mysqldump -u root "-p${value}" db` }),
  "a flag among arguments": (value) => container({ props: { command: ["mysql", "-u", "root", `-p${value}`] } }),
  "a flag of the entry point's program": (value) =>
    container({ props: { entrypoints: ["/usr/bin/mysqladmin"], command: [`-p${value}`, "ping"] } }),
  "a flag of redis-cli": (value) => command({ create: `redis-cli -h redis -a${value} ping` }),
  "a flag of redis-cli in a health check": (value) =>
    container({ props: { healthcheck: { tests: ["CMD", "redis-cli", `-a${value}`, "ping"] } } }),
  "a flag of curl": (value) => command({ create: `curl -sf -uadmin:${value} http://x` }),
  "a flag of curl among arguments": (value) =>
    container({ props: { command: ["curl", `-uadmin:${value}`, "http://x"] } }),
  "a flag of sshpass": (value) => command({ create: `sshpass -p ${value} ssh x` }),
  "a login of Docker": (value) => command({ create: `docker login -u a -p ${value} registry.example` }),
  "a long flag": (value) => command({ create: `psql --password=${value}` }),
  "an ADO connection string": (value) =>
    container({ props: { envs: [`DB=Server=x;User Id=sa;Password=${value};Encrypt=yes`] } }),
  "a libpq connection string": (value) => container({ props: { envs: [`DB=host=x user=a password=${value}`] } }),
  "a JDBC URL": (value) => container({ props: { envs: [`DB=jdbc:postgresql://x/app?user=a&password=${value}`] } }),
  "a trigger": (value) => command({ create: "true", triggers: [`password=${value}`] }),
  "a keeper": (value) =>
    resource("random:index/randomPassword:RandomPassword", { length: 24, keepers: { password: value } }),
  "a shell's script": (value) => container({ props: { command: ["sh", "-c", `export PGPASSWORD='${value}'; psql`] } }),
  "a shell's fallback": (value) => command({ create: `psql "\${DB_PASSWORD:-${value}}"` }),
  "basic authentication": (value) =>
    command({ create: `curl -H "Authorization: Basic ${base64(`admin:${value}`)}" http://x` }),
  "a JSON file": (value) =>
    filesOf("nats", { "etc/nats.json": JSON.stringify({ users: [{ user: "a", password: value }] }) }),
  "a JSON file in base64": (value) =>
    filesOf("nats", { "etc/x.yaml": `data: ${base64(JSON.stringify({ password: value }))}\n` }),
  "a YAML file": (value) =>
    filesOf("grafana", { "etc/x.yaml": `datasource:\n  secureJsonData:\n    password: "${value}"\n` }),
  "an ini file": (value) => filesOf("grafana", { "etc/grafana.ini": `[security]\nadmin_password = ${value}\n` }),
  "an env file": (value) => filesOf("reporter", { "etc/app.env": `A=1\nexport SMTP_PASSWORD=${value}\n` }),
  "a SQL file": (value) => filesOf("postgres", { "etc/roles.sql": `ALTER ROLE app PASSWORD '${value}';\n` }),
  "redis.conf": (value) => filesOf("redis", { "etc/redis.conf": `port 6379\nrequirepass ${value}\n` }),
  "an access list of Redis": (value) =>
    filesOf("redis", { "run-secrets/users.acl": `user default on >${value} ~* +@all\n` }),
  "a second password of an access list": (value) =>
    filesOf("redis", { "run-secrets/users.acl": `user default on >${secret()} >${value} ~* +@all\n` }),
  netrc: (value) => filesOf("backup", { "etc/netrc": `machine x.example login a password ${value}\n` }),
  "a command's plain stdin": (value) => command({ create: "cat > /etc/x", stdin: `password=${value}\n` }),
  "an environment of a command in base64": (value) =>
    command({ create: `echo ${base64(`TOKEN=${value}`)} | base64 -d > x` }),
  "an SSH connection": (value) =>
    resource("command:remote:Command", { create: "true", connection: { host: "x", hostKey: "k", password: value } }),
  "an XML file": (value) => filesOf("x", { "etc/x.xml": `<db><password>${value}</password></db>\n` }),
  "a .pgpass": (value) => filesOf("x", { "etc/pgpass": `postgres:5432:app:app:${value}\n` }),
  "JSON in a string of JSON": (value) =>
    filesOf("x", { "etc/x.json": JSON.stringify({ config: JSON.stringify({ password: value }) }) }),
  "a property of Java": (value) => container({ props: { command: ["java", `-Ddb.password=${value}`] } }),
  "what calls itself a file": (value) => container({ props: { envs: [`POSTGRES_PASSWORD_FILE=${value}`] } }),
  "an upload's secret": (value) => container({ props: { uploads: [{ file: "/run/secrets/redis", content: value }] } }),
  "an upload's secret in base64": (value) =>
    container({ props: { uploads: [{ file: "/run/secrets/redis", contentBase64: base64(`${value}\n`) }] } }),
  "a JSON variable": (value) => container({ props: { envs: [`APP_CONFIG={"db":{"pass":"${value}"}}`] } }),
  "JSON with escapes": (value) =>
    container({
      props: { envs: [`APP_CONFIG={"password":"\\u00${(value.codePointAt(0) ?? 0).toString(16)}${value.slice(1)}"}`] },
    }),
  "a login in one variable": (value) => container({ props: { envs: [`NEO4J_AUTH=neo4j:${value}`] } }),
  "a name without a border": (value) => container({ props: { envs: [`DBPW=${value}`] } }),
  "a registry's login": (value) =>
    resource("pulumi:providers:docker", {
      registryAuth: JSON.stringify([{ address: "x", username: "a", password: value }]),
    }),
  "any other resource": (value) => resource("aws:rds/instance:Instance", { masterPassword: value }),
};

describe.each(Object.entries(CARRIERS))("inside %s", (_, carry) => {
  it.each(KNOWN)("%s is found", async (word) => {
    expect(await refused(carry(word))).not.toEqual([]);
  });

  it("a short one is found", async () => {
    const messages = await verdicts(carry(`q${secret(4)}`.slice(0, 6)));
    expect(messages).not.toEqual([]);
  });
});

describe("what only ever is a default", () => {
  it.each([
    ["as an argument", (value: string) => container({ props: { command: ["init", value] } })],
    ["under a harmless name", (value: string) => container({ props: { envs: [`GREETING=${value}`] } })],
    [
      "in base64 under a harmless name",
      (value: string) => container({ props: { envs: [`GREETING=${base64(value)}`] } }),
    ],
    ["in a label", (value: string) => container({ labels: { note: value } })],
    ["in a script's text", (value: string) => command({ create: `install-app a b ${value} c` })],
    ["in a program's file", (value: string) => filesOf("caddy", { "srv/x.mjs": `login("admin", "${value}");\n` })],
    ["as a login's name", (value: string) => filesOf("ib-gateway", { "run-secrets/tws-userid": value })],
  ])("is found %s", async (_, place) => {
    for (const word of ["changeme", "Replace_Me", "AUTOLLM123", "devredis", "eDemo", "demouser", "your_api_key"]) {
      expect.soft(await refused(place(word)), word).not.toEqual([]);
    }
  });
});

describe("what looks like no value is a bad secret", () => {
  it.each(["12345", "none", "null", "off", "/admin", "$'admin'"])("%s", async (value) => {
    const places = [
      filesOf("redis", { "run-secrets/redis": value }),
      container({ props: { envs: [`POSTGRES_PASSWORD=${value}`] } }),
      filesOf("redis", { "etc/redis.conf": `requirepass ${value}\n` }),
    ];
    for (const place of places) expect.soft(await verdicts(place)).not.toEqual([]);
  });
});

describe("what names no secret is let through", () => {
  it.each([
    "DISABLE_PASSWORD=true",
    "ACCESS_TOKEN_TTL=3600",
    "AUTH=basic",
    "GF_SECURITY_ADMIN_PASSWORD__FILE=/run/secrets/grafana-admin",
    "TLS_KEY=/run/secrets/nats-key",
    "PASSWORD=$DB_PASSWORD",
    "PWD=/app",
    "BYPASS=all",
    "SORT_KEY=name",
    "PUBLIC_KEY=AAAAC3NzaC1lZDI1NTE5AAAAIJ",
  ])("%s", async (variable) => {
    expect(await verdicts(container({ props: { envs: [variable] } }))).toEqual([]);
  });
});

describe("a real secret in plain text is found", () => {
  it.each<[string, Subject]>([
    ["in a URL", container({ props: { envs: [`DATABASE_URL=postgres://app:${secret()}@db/app`] } })],
    ["in base64 of an assignment", container({ props: { envs: [`X=${base64(`password=${secret()}`)}`] } })],
    [
      "as hex under a harmless name",
      container({ props: { envs: [`SEED=${Buffer.from(secret(48)).toString("hex")}`] } }),
    ],
    ["in the arguments", container({ props: { command: ["serve", "--api-key", secret()] } })],
    [
      "in the health check",
      container({ props: { healthcheck: { tests: ["CMD", "redis-cli", "-a", secret(), "ping"] } } }),
    ],
    ["in a label", container({ labels: { api_token: secret() } })],
    ["in the entry point", container({ props: { entrypoints: ["env", `JWT_SECRET=${secret()}`, "node"] } })],
    ["a key of AWS", container({ props: { envs: [`NOTE=AKIA${"Q7".repeat(8)}`] } })],
    [
      "a private key in base64",
      command({ create: `echo ${base64(`-----BEGIN OPENSSH PRIVATE KEY-----\n${secret()}`)} | base64 -d` }),
    ],
    ["a name in camel case", command({ create: "true", environment: { dbPassword: secret() } })],
  ])("%s", async (_, subject) => {
    expect((await verdicts(subject)).filter((message) => message.includes("plain text"))).not.toEqual([]);
  });
});

it("a message never holds the value", async () => {
  for (const value of [`Tr4ding-${secret(6)}`, "autollm123", "letmein2026"]) {
    for (const place of [...Object.values(PLACES), ...Object.values(CARRIERS)]) {
      for (const message of await verdicts(place(value))) expect(message).not.toContain(value);
    }
  }
});

it("strong secrets delivered as files are let through", { timeout: 30_000 }, async () => {
  for (let round = 0; round < 20; round++) {
    const value = secret(24);
    const files = {
      "run-secrets/redis": value,
      "run-secrets/users.acl": `user default on >${value} ~* &* +@all\n`,
      "etc/nats.json": JSON.stringify({ password: Buffer.from(value).toString("hex") }),
    };
    expect(await verdicts(filesOf("redis", files))).toEqual([]);
  }
});

describe("the stack's own domain is no secret", () => {
  afterEach(() => pulumi.runtime.setAllConfig({}));

  it.each(["bototolab", "bototolab2026", "77-bototolab.example.net", "B0t0t0l4b!"])("%s", async (value) => {
    pulumi.runtime.setAllConfig({ "autollm:domain": "bototolab.example.net" });
    expect(await refused(filesOf("redis", { "run-secrets/redis": value }))).not.toEqual([]);
  });
});

describe("a constant is no secret", () => {
  it.each([
    "00000000-0000-0000-0000-000000000000",
    "11111111-1111-1111-1111-111111111111",
    "ffffffffffffffffffffffffffffffff",
    "0123456789abcdef0123456789abcdef",
    base64("\0".repeat(32)),
    "deadbeefdeadbeefdeadbeefdeadbeef",
  ])("%s", async (value) => {
    expect(await refused(filesOf("redis", { "run-secrets/redis": value }))).not.toEqual([]);
  });
});

describe("a short flag that is no password is let through", () => {
  it.each([
    "mkdir -p /srv/data && cp -a /etc /srv",
    "ssh -p2222 -a host",
    "docker run -p 8080:80 -u 1000:1000 image",
    'mysql -p"$MYSQL_PASSWORD" -e "select 1"',
    'redis-cli -a "$(cat /run/secrets/redis)" ping',
    'curl -u "admin:$PASSWORD" http://x',
    "docker compose -p stack ps",
  ])("%s", async (create) => {
    expect(await verdicts(command({ create }))).toEqual([]);
  });
});

it("a random value of every form that the stack makes is let through in a credential's file", {
  timeout: 60_000,
}, async () => {
  const forms = [
    () => Buffer.from(secret(16), "base64url").toString("hex"),
    () => Buffer.from(secret(32), "base64url").toString("hex"),
    () => Buffer.from(secret(32), "base64url").toString("base64"),
    () => secret(24),
  ];
  for (let round = 0; round < 250; round++) {
    for (const make of forms) {
      expect(await refused(filesOf("redis", { "run-secrets/redis": make() }))).toEqual([]);
    }
  }
});
