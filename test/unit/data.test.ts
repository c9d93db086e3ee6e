import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type NatsUser, natsConfig, natsServices, natsUsers } from "../../components/data/nats.ts";
import { pgHba, postgresConf } from "../../components/data/postgres.ts";
import { redisAcl, redisConf } from "../../components/data/redis.ts";
import { natsPermissions, serviceNames } from "../../components/platform/catalogue.ts";
import { runPlatform } from "./lib/platform.ts";
import { randomText } from "./lib/values.ts";

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

  it("has one user for those who work with it, by a password that the file does not tell", () => {
    const password = randomText(33);
    expect(redisAcl([password], "b")).toContain(`user default on ${hash(password)} ~* &* +@all\n`);
    expect(redisAcl([password], "b")).not.toContain("nopass");
    expect(redisAcl([password], "b")).not.toContain(password);
  });

  it("takes a password with blanks and line ends, which would end the line of an ACL", () => {
    expect(redisAcl(["a b\nuser x on nopass"], "b").split("\n")).toHaveLength(3);
  });

  it("lets the backup copy the data set as a replica does, and neither read a key nor write one", () => {
    expect(redisAcl(["a"], "other")).toContain(`user backup on ${hash("other")} -@all +ping +replconf +psync +sync\n`);
  });

  it("may take two passwords while clients move from one to the other", () => {
    expect(redisAcl(["first", "second"], "b")).toContain(
      `user default on ${hash("first")} ${hash("second")} ~* &* +@all\n`,
    );
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
    expect(users.map(({ user }) => user)).toEqual([...natsServices, "backup"]);
    for (const { user, password, permissions } of users) {
      if (user === "backup") {
        expect(platform.files("backup")["run-secrets/nats-backup"]).toBe(password);
        expect(permissions.publish.allow.join()).not.toMatch(/RESTORE|DELETE|PURGE|CREATE|UPDATE/);
        continue;
      }
      const service = natsServices.find((name) => name === user);
      if (service === undefined) throw new Error(`${user} is no service`);
      expect(platform.files(service)["run-secrets/env/NATS_PASSWORD"], user).toBe(password);
      expect(permissions.publish.allow).toEqual(natsPermissions(service).publish);
      expect(permissions.subscribe.allow).toEqual(natsPermissions(service).subscribe);
    }
    const redis = platform.files("redis").redis;
    for (const service of ["gateway-api", "data-ingestor", "risk-manager"]) {
      expect(platform.files(service)["run-secrets/env/REDIS_PASSWORD"]).toBe(redis);
    }
    for (const service of ["gateway-api", "portfolio-ledger", "reporter"]) {
      const given = platform.files(service)["run-secrets/env/POSTGRES_PASSWORD"];
      expect(given).toBeDefined();
      expect(platform.files("postgres")[`postgres-${service}`]).toBe(given);
    }
    for (const store of ["postgres", "redis", "nats"]) {
      expect(platform.container(store).mounts?.filter(({ type }) => type === "volume")).toHaveLength(1);
    }
  });
});
