import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { serviceNeeds } from "../../../components/credentials/catalogue.ts";
import { haltedUsers, type NatsUser, natsConfig, natsServices, natsUsers } from "../../../components/data/nats.ts";
import { pgHba, postgresConf } from "../../../components/data/postgres.ts";
import { redisConf, redisServices } from "../../../components/data/redis.ts";
import { backupRules, exporterRules, redisAcl, serviceRules } from "../../../components/data/redisAcl.ts";
import { type ServiceSpec, serviceNames, services, underscored } from "../../../components/platform/catalogue.ts";
import { natsPermissions, streamsPermissions } from "../../../components/platform/natsRights.ts";
import { runPlatform } from "../lib/platform.ts";
import { randomText } from "../lib/values.ts";

/** Whether a server that keeps this verifier takes the password (RFC 5802). */
function matches(verifier: string, password: string): boolean {
  const [, rounds = "", salt = "", stored = ""] = /^SCRAM-SHA-256[$](\d+):([^$]+)[$]([^:]+):/.exec(verifier) ?? [];
  const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(rounds), 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  return createHash("sha256").update(clientKey).digest("base64") === stored;
}

const subjects = z.strictObject({ allow: z.array(z.string()).min(1) });
const authorization = z.object({
  users: z.array(
    z.strictObject({
      user: z.string(),
      password: z.string(),
      permissions: z.strictObject({ publish: subjects, subscribe: subjects }),
    }),
  ),
});
const usersOf = (text = "") => authorization.parse(JSON.parse(text.replace(/^authorization: /, ""))).users;

describe("NATS", () => {
  const users: readonly NatsUser[] = [
    { user: "a", password: randomText(20), permissions: { publish: ["x.>"], subscribe: ["y"] } },
    { user: "b", password: 'odd " \\ $PATH', permissions: { publish: ["z"], subscribe: ["z"] } },
  ];

  it("knows each user's password and subjects, and has no user without", () => {
    expect(usersOf(natsUsers(users))).toEqual(
      users.map(({ user, password, permissions: { publish, subscribe } }) => ({
        user,
        password,
        permissions: { publish: { allow: publish }, subscribe: { allow: subscribe } },
      })),
    );
    expect(natsConfig()).not.toMatch(/no_auth_user|token|authorization/);
    expect(natsConfig()).toContain('include "../../tmp/users.conf"');
  });

  it("has no executor while the kill switch is on, and takes an approved order of nobody", () => {
    const all = serviceNames.map((service) => ({
      ...{
        user: service,
        service,
        password: randomText(20),
        permissions: natsPermissions(service, { application: "conventions", release: {} }),
      },
    }));
    const [, text = ""] = haltedUsers([...all, ...users]).split("authorization: ");
    const halted = (JSON.parse(text) as { users: { user: string; permissions: { publish: { deny?: string[] } } }[] })
      .users;
    const gone = ["execution-ib", "execution-crypto"];
    expect(halted.map(({ user }) => user)).toEqual([...serviceNames.filter((name) => !gone.includes(name)), "a", "b"]);
    for (const { user, permissions } of halted) expect(permissions.publish.deny, user).toEqual(["risk.order.approved"]);
  });

  it("speaks TLS with its own certificate, and bounds what it stores", () => {
    const part = (name: string) =>
      /^[a-z_]+: (\{[\s\S]*?^\})/m.exec(natsConfig().slice(natsConfig().indexOf(`${name}: {`)))?.[1];
    expect(JSON.parse(part("tls") ?? "")).toMatchObject({
      cert_file: "/run/live/current/nats-certificate",
      key_file: "/run/live/current/nats-key",
    });
    expect(JSON.parse(part("jetstream") ?? "").max_file_store).toBeGreaterThan(0);
  });

  it("is used by every service but the batch job", () => {
    expect(natsServices).toEqual(serviceNames.filter((name) => name !== "backtest-engine"));
  });
});

describe("Redis", () => {
  const hash = (password: string) => `#${createHash("sha256").update(password).digest("hex")}`;

  const user = (name: string, password: string, rules: readonly string[] = []) => ({ user: name, password, rules });
  const commands = (rules: readonly string[]) => rules.filter((rule) => /^[+-]/.test(rule));

  it("knows each user by a password that the file does not expose, and lets no client in without a name", () => {
    const password = randomText(33);
    const acl = redisAcl([user("a", password, ["~x:*", "-@all", "+get"])]);
    expect(acl.split("\n")).toEqual([
      "user default off resetpass ~* &* +@all",
      `user a on ${hash(password)} ~x:* -@all +get`,
      "",
    ]);
    expect(acl).not.toContain(password);
  });

  it("takes a password with blanks and line ends, which would end the line of an ACL", () => {
    expect(redisAcl([user("a", "a b\nuser x on nopass")]).split("\n")).toHaveLength(3);
  });

  it("gives a service its own keys, channels only where its entry says so, and scripts likewise", () => {
    expect(serviceRules({ keys: ["a:*", "b"] }).slice(0, 4)).toEqual(["resetchannels", "~a:*", "~b", "-@all"]);
    expect(serviceRules({ keys: [], reads: ["c:*"] })).toContain("%R~c:*");
    expect(serviceRules({ keys: ["a"] }).filter((rule) => rule.startsWith("&"))).toEqual([]);
    expect(serviceRules({ keys: ["a"], channels: ["news"] })).toEqual(expect.arrayContaining(["&news", "+@pubsub"]));
    expect(serviceRules({ keys: ["a"] }).join(" ")).not.toMatch(/[+]eval|[+]@pubsub/);
    expect(serviceRules({ keys: ["a"], scripts: true })).toEqual(expect.arrayContaining(["+evalsha", "+script|load"]));
  });

  it("takes what steers the server away after what a category gave", () => {
    const given = commands(serviceRules({ keys: ["a"], scripts: true }));
    expect(given[0]).toBe("-@all");
    for (const refused of ["-@admin", "-@dangerous", "-@scripting", "-scan", "-randomkey", "-dbsize"])
      expect(given.indexOf(refused), refused).toBeGreaterThan(given.indexOf("+@write"));
    expect(given.join(" ")).not.toMatch(/[+]@(all|admin|dangerous|scripting|connection)/);
  });

  it("shows the exporter figures and no key, and lets the backup copy the data set as a replica does", () => {
    for (const rules of [exporterRules, backupRules]) {
      expect(rules.filter((rule) => /^[~%&]/.test(rule))).toEqual([]);
      expect(rules).toEqual(expect.arrayContaining(["resetchannels", "-@all", "+ping"]));
    }
    expect(exporterRules.join(" ")).not.toMatch(/config|monitor|client[|]list|slowlog[|]get/);
    expect(commands(backupRules)).toEqual(["-@all", "+ping", "+replconf", "+psync", "+sync"]);
  });

  it("is used by the services that need it, each with keys that no other writes", () => {
    expect(redisServices).toEqual(serviceNames.filter((name) => serviceNeeds(name, "redis")));
    const entries: [string, ServiceSpec][] = serviceNames.map((name) => [name, services[name]]);
    for (const [name, { needs, redis }] of entries) expect(redis !== undefined, name).toBe(needs.includes("redis"));
    const keys = entries.flatMap(([, { redis }]) => redis?.keys ?? []);
    expect(new Set(keys).size).toBe(keys.length);
    for (const key of keys) expect(key).toMatch(/^[A-Za-z]{4,}[:/][*]$/);
  });

  it("keeps a snapshot a minute and a log of each write, and refuses rather than forgets", () => {
    for (const line of ["save 60 1", "appendonly yes", "maxmemory-policy noeviction", "aclfile /tmp/users.acl"]) {
      expect(redisConf.split("\n")).toContain(line);
    }
    expect(redisConf).not.toMatch(/requirepass/);
  });
});

describe("Postgres", () => {
  it("lets nobody in over the network without a password, and the superuser not at all", () => {
    const network = pgHba.split("\n").filter((line) => line.startsWith("host"));
    expect(network).toEqual([
      "host all postgres all reject",
      "host autollm_restored all all reject",
      "host replication wal_archive samenet scram-sha-256",
      "host all wal_archive all reject",
      "host all all samenet scram-sha-256",
    ]);
    expect(pgHba.split("\n").filter((line) => line.includes("trust"))).toEqual([
      "local all postgres trust",
      "local autollm_restored all trust",
    ]);
  });

  it("stores passwords as SCRAM, works in UTC, and finds its access rules", () => {
    for (const line of [
      "password_encryption = scram-sha-256",
      "timezone = UTC",
      "hba_file = '/etc/autollm/pg_hba.conf'",
      "unix_socket_directories = '/tmp'",
    ]) {
      expect(postgresConf.split("\n")).toContain(line);
    }
  });
});

describe("the data stores of the program", () => {
  it("are given the passwords that their users are given", async () => {
    const platform = await runPlatform();
    const users = usersOf(platform.files("nats").settled);
    expect(users.map(({ user }) => user)).toEqual([...natsServices, "backup", "streams"]);
    const standIns = { application: "conventions", release: {} } as const;
    for (const { user, password, permissions } of users) {
      if (user === "backup") {
        expect(platform.files("backup")["run-secrets/nats-backup"]).toBe(password);
        expect(permissions.publish.allow.join()).not.toMatch(/RESTORE|DELETE|PURGE|CREATE|UPDATE/);
        continue;
      }
      if (user === "streams") {
        expect(platform.files("nats-streams")["run-secrets/nats-streams"]).toBe(password);
        expect(permissions.publish.allow).toEqual(streamsPermissions.publish);
        continue;
      }
      const service = natsServices.find((name) => name === user);
      if (service === undefined) throw new Error(`${user} is no service`);
      expect(platform.files(service)["run-secrets/env/NATS_PASSWORD"], user).toBe(password);
      expect(permissions.publish.allow).toEqual(natsPermissions(service, standIns).publish);
      expect(permissions.subscribe.allow).toEqual(natsPermissions(service, standIns).subscribe);
    }
    const sha256 = (text = "") => createHash("sha256").update(text).digest("hex");
    for (const service of redisServices) {
      const given = platform.files(service)["run-secrets/env/REDIS_PASSWORD"];
      expect(given).toBeDefined();
      expect(platform.files("redis").settled).toContain(`user ${service} on #${sha256(given)} `);
      expect(platform.container(service).envs).toContain(`REDIS_USERNAME=${service}`);
    }
    const exporter = platform.files("redis-exporter")["run-secrets/redis.json"] ?? "{}";
    const [[address, password] = ["", ""]] = Object.entries(JSON.parse(exporter) as Record<string, string>);
    expect(address).toBe("redis://exporter@redis:6379");
    expect(platform.files("redis").settled).toContain(`user exporter on #${sha256(password)} `);
    const roles = platform.files("postgres")["roles.sql"] ?? "";
    for (const service of ["gateway-api", "portfolio-ledger", "reporter"] as const) {
      const given = platform.files(service)["run-secrets/env/POSTGRES_PASSWORD"] ?? "";
      expect(given).not.toBe("");
      expect(roles).not.toContain(given);
      const verifier = new RegExp(`ALTER ROLE ${underscored(service)} PASSWORD '([^']+)'`).exec(roles)?.[1] ?? "";
      expect(matches(verifier, given)).toBe(true);
      expect(matches(verifier, `${given}x`)).toBe(false);
    }
    for (const store of ["postgres", "redis", "nats"]) {
      expect(platform.container(store).mounts?.filter(({ type }) => type === "volume")).toHaveLength(1);
    }
  });

  it("keeps its volumes whatever their labels are: another label would make another, empty volume", async () => {
    const volumes = (await runPlatform()).ofType("docker:index/volume:Volume");
    expect(volumes.length).toBeGreaterThan(5);
    for (const { name, ignoreChanges } of volumes) expect(ignoreChanges, name).toContain("labels");
  });
});
