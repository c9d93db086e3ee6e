import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { redisConf, redisServices } from "../../components/data/redis.ts";
import {
  backupRules,
  exporterRules,
  limiterRules,
  type RedisUser,
  redisAcl,
  serviceRules,
} from "../../components/data/redisAcl.ts";
import { type ServiceName, type ServiceSpec, services } from "../../components/platform/catalogue.ts";
import { slidingWindowScript } from "../../services/reference/src/rateLimit.ts";
import { ensureDocker } from "../../tools/bootstrap/docker/docker.ts";
import { ensureImages } from "../../tools/bootstrap/images/images.ts";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { eventually } from "./lib/http.ts";
import { docker } from "./lib/stack.ts";

const secret = () => randomBytes(24).toString("hex");
const accessOf = (service: ServiceName) => (services[service] as ServiceSpec).redis ?? { keys: [] };

const users: readonly RedisUser[] = [
  ...redisServices.map((name) => ({ user: name, password: secret(), rules: serviceRules(accessOf(name)) })),
  { user: "exporter", password: secret(), rules: exporterRules },
  { user: "edge-limiter", password: secret(), rules: limiterRules },
  { user: "backup", password: secret(), rules: backupRules },
  // What the test looks with.
  { user: "test", password: secret(), rules: ["~*", "&*", "+@all"] },
];
const names = users.map(({ user }) => user).filter((name) => name !== "test");
const passwordOf = (name: string) => users.find(({ user }) => user === name)?.password ?? "";

/** A key of each pattern, and one of nobody. */
const keys = [
  ...redisServices.flatMap((name) => accessOf(name).keys.map((pattern) => pattern.replace("*", "e2e"))),
  "other:e2e",
];
const covers = (pattern: string, key: string) => key.startsWith(pattern.replace("*", ""));
const mayWrite = (name: string, key: string) =>
  redisServices.some((service) => service === name && accessOf(service).keys.some((each) => covers(each, key)));
const mayRead = (name: string, key: string) =>
  mayWrite(name, key) ||
  redisServices.some(
    (service) => service === name && (accessOf(service).reads ?? []).some((each) => covers(each, key)),
  );
const mayScript = (name: string) => redisServices.some((each) => each === name && accessOf(each).scripts === true);

/** Commands that name no key, and that every service may run: those of a connection, of a transaction, and the time. */
const ofAll = [
  ...["auth", "hello", "quit", "reset", "ping", "echo", "time"],
  ...["client|getname", "client|id", "client|setinfo", "client|setname"],
  ...["discard", "exec", "multi", "unwatch"],
];
const alone: Readonly<Record<string, readonly string[]>> = {
  exporter: [
    ...["auth", "hello", "quit", "reset", "ping", "info", "client|setname"],
    ...["latency|histogram", "latency|latest", "slowlog|len"],
  ],
  "edge-limiter": [...["auth", "hello", "quit", "reset", "ping", "client|setinfo", "time"]],
  backup: ["auth", "hello", "quit", "reset", "ping", "psync", "replconf", "sync"],
};
const declared = (name: string) =>
  [...(alone[name] ?? ofAll), ...(mayScript(name) ? ["script|exists", "script|load"] : [])].sort();

const directory = mkdtempSync(join(tmpdir(), "autollm-redis-access-"));
let container: string;
let port: number;

/** Puts the two access lists before Redis, as the program's hot-reloaded files do, and runs its script. */
async function give(settled: readonly RedisUser[], overlap: readonly RedisUser[], generations: string) {
  const current = join(directory, "live", "one");
  mkdirSync(current, { recursive: true });
  const files = { settled: redisAcl(settled), overlap: redisAcl(overlap), generations };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(current, file), text);
  for (const path of [directory, join(directory, "live"), current]) chmodSync(path, 0o755);
}
const script = (verb: string) => docker("exec", container, "/bin/sh", "/etc/autollm/acl.sh", verb);

async function session(username: string | undefined, password: string) {
  const client = createClient({
    ...(username === undefined ? {} : { username }),
    password,
    socket: { host: "127.0.0.1", port, reconnectStrategy: false },
  });
  client.on("error", () => undefined);
  await client.connect();
  onTestFinished(() => client.destroy());
  return client;
}

/** What Redis says to a command: "ok", or the first word of its refusal. */
async function answer(client: Awaited<ReturnType<typeof session>>, command: readonly string[]): Promise<string> {
  try {
    await client.sendCommand([...command]);
    return "ok";
  } catch (error) {
    return error instanceof Error ? (error.message.split(" ")[0] ?? "") : String(error);
  }
}

/** Redis's own words, where it did not start. */
const said = async () => {
  const { stdout, stderr } = await run("docker", ["logs", container]);
  throw new Error(stdout + stderr);
};

beforeAll(async () => {
  await ensureDocker({ install: process.env.CI === "true" });
  const { redis } = await ensureImages(["redis"]);
  writeFileSync(join(directory, "redis.conf"), redisConf);
  await give(users, users, "one\n");
  symlinkSync("one", join(directory, "live", "current"));
  chmodSync(join(directory, "redis.conf"), 0o644);
  container = await docker(
    ...["run", "--detach", "--read-only", "--cap-drop=ALL", "--publish=127.0.0.1::6379"],
    ...["--tmpfs=/tmp", "--mount=type=volume,dst=/data", `--volume=${join(directory, "live")}:/run/live:ro`],
    `--volume=${join(directory, "redis.conf")}:/etc/autollm/redis.conf:ro`,
    `--volume=${root}/components/data/redis-acl.sh:/etc/autollm/acl.sh:ro`,
    `--volume=${root}/components/data/overlap.sh:/etc/autollm/overlap.sh:ro`,
    ...["--user=999:1000", "--entrypoint=/bin/sh", redis, "/etc/autollm/acl.sh", "start"],
  );
  port = Number((await docker("port", container, "6379").catch(said)).split(":").at(-1));
  await eventually("Redis answers its health check", 30, async () =>
    (await script("ping")
      .then(() => true)
      .catch(() => false))
      ? true
      : undefined,
  );
}, 120_000);

afterAll(async () => {
  if (container !== undefined) await docker("rm", "--force", "--volumes", container);
  rmSync(directory, { recursive: true, force: true });
});

describe("Redis", () => {
  test("lets nobody in without a name, whatever the password", async () => {
    for (const { password } of users) await expect(session(undefined, password)).rejects.toThrow(/WRONGPASS/);
    await expect(session("default", "")).rejects.toThrow(/WRONGPASS|NOAUTH/);
    await expect(session(names[0], passwordOf(names[1] ?? ""))).rejects.toThrow(/WRONGPASS/);
    const client = createClient({ socket: { host: "127.0.0.1", port, reconnectStrategy: false } });
    client.on("error", () => undefined);
    await client.connect().catch(() => undefined);
    if (client.isOpen) expect(await answer(client, ["PING"])).toBe("NOAUTH");
    client.destroy();
  });

  test.each(names)("lets %s reach exactly the keys of its entry", async (name) => {
    const admin = await session("test", passwordOf("test"));
    const client = await session(name, passwordOf(name));
    for (const key of keys) {
      await admin.sendCommand(["SET", key, "1"]);
      const expected = (allowed: boolean) => (allowed ? "ok" : "NOPERM");
      for (const read of [
        ["GET", key],
        ["STRLEN", key],
        ["TTL", key],
        ["DUMP", key],
        ["TYPE", key],
        ["WATCH", key],
      ])
        expect(await answer(client, read), read.join(" ")).toBe(expected(mayRead(name, key)));
      await answer(client, ["UNWATCH"]);
      for (const write of [
        ["SET", key, "2"],
        ["EXPIRE", key, "60"],
        ["RENAME", key, key],
        ["DEL", key],
      ])
        expect(await answer(client, write), write.join(" ")).toBe(expected(mayWrite(name, key)));
      const scripts = [
        ["EVAL", "return redis.call('get', KEYS[1])", "1", key],
        ["EVAL", `return redis.call('set', '${key}', '3')`, "0"],
      ];
      for (const each of scripts) {
        const allowed = mayScript(name) && mayWrite(name, key);
        expect((await answer(client, each)) === "ok", each.join(" ")).toBe(allowed);
      }
    }
  });

  test.each(names)("lets %s run no command without a key but the declared ones", async (name) => {
    const admin = await session("test", passwordOf("test"));
    type Command = [name: string, arity: number, flags: string[], ...rest: unknown[]] & { 8: unknown[]; 9: Command[] };
    const all = (await admin.sendCommand(["COMMAND"])) as unknown as Command[];
    const flat = (list: Command[]): Command[] => list.flatMap((each) => [each, ...flat(each[9])]);
    const keyless = flat(all).filter((each) => each[8].length === 0 && each[9].length === 0);
    const allowed: string[] = [];
    for (const [command, arity] of keyless) {
      const words = command.split("|");
      const filled = [...words, ...Array(Math.max(0, Math.abs(arity) - words.length)).fill("1")];
      if (String(await admin.sendCommand(["ACL", "DRYRUN", name, ...filled])) === "OK") allowed.push(command);
    }
    expect(allowed.sort()).toEqual(declared(name));
  });

  const refused = [
    ...[
      "FLUSHALL",
      "FLUSHDB",
      "KEYS *",
      "SCAN 0",
      "RANDOMKEY",
      "DBSIZE",
      "SWAPDB 0 1",
      "SELECT 1",
      "MONITOR",
      "SHUTDOWN",
    ],
    ...["REPLICAOF no one", "ROLE", "CONFIG GET *", "CONFIG SET dir /tmp", "ACL LIST", "ACL WHOAMI", "CLIENT LIST"],
    ...["CLIENT KILL TYPE normal", "CLIENT PAUSE 1", "SAVE", "BGSAVE", "LASTSAVE", "MODULE LIST", "SLOWLOG GET"],
    ...[
      "SUBSCRIBE x",
      "PSUBSCRIBE *",
      "PUBLISH x y",
      "PUBSUB CHANNELS",
      "SCRIPT FLUSH",
      "SCRIPT KILL",
      "FUNCTION FLUSH",
    ],
    ...["FUNCTION LIST", "MEMORY STATS", "LATENCY RESET", "WAIT 0 1", "COMMAND COUNT", "LOLWUT", "CLUSTER INFO"],
  ];
  test.each(names)("refuses %s what steers the server or shows others", async (name) => {
    const client = await session(name, passwordOf(name));
    for (const each of refused) expect(await answer(client, each.split(" ")), each).toBe("NOPERM");
    if (name !== "exporter") expect(await answer(client, ["INFO"])).toBe("NOPERM");
    if (name !== "backup") expect(await answer(client, ["PSYNC", "?", "-1"])).toBe("NOPERM");
    const own = redisServices.some((each) => each === name) ? accessOf(name as ServiceName).keys[0] : undefined;
    if (own === undefined) return;
    const key = own.replace("*", "e2e");
    for (const each of [`MOVE ${key} 1`, `COPY ${key} ${key} DB 1`, `SORT ${key} BY other:* GET other:*`])
      expect(await answer(client, each.split(" ")), each).toBe("NOPERM");
  });

  test("takes both limiters of the gateway: the stand-in's script, and a library that loads its own by hash", async () => {
    const client = await session("gateway-api", passwordOf("gateway-api"));
    const window = ["EVAL", slidingWindowScript, "1", "ratelimit:192.0.2.1", "60000", "100", "one"];
    expect(await answer(client, window)).toBe("ok");
    const counting = `local n = redis.call('incr', KEYS[1]) if n == 1 then redis.call('expire', KEYS[1], ARGV[1]) end return n -- ${secret()}`;
    for (const key of ["LIMITER/192.0.2.1/100/1/minute", "LIMITS:LIMITER/192.0.2.1/100/1/minute"]) {
      const hash = String(await client.sendCommand(["SCRIPT", "LOAD", counting]));
      expect(Number(await client.sendCommand(["EVALSHA", hash, "1", key, "60"]))).toBe(1);
    }
  });

  test("takes a transaction of the risk manager", async () => {
    const client = await session("risk-manager", passwordOf("risk-manager"));
    const done = await client.multi().set("risk:decided:e2e", "1").hSet("risk:holdings", "BTC-USD", "1").exec();
    expect(done).toHaveLength(2);
    await client.del(["risk:decided:e2e", "risk:holdings"]);
  });

  test("ends the sessions of a former user, and of a changed password, when a rotation settles", async () => {
    const moved = users.map((user) => ({
      ...user,
      ...(user.user === "risk-manager" ? { user: "risk-manager-even", password: secret() } : {}),
      ...(user.user === "backup" ? { password: secret() } : {}),
    }));
    const [former, changed, untouched] = await Promise.all(
      ["risk-manager", "backup", "gateway-api"].map((name) => session(name, passwordOf(name))),
    );
    const said = async (client: typeof former) => (client === undefined ? "none" : answer(client, ["PING"]));
    const formerUser = users.filter(({ user }) => user === "risk-manager");
    await give(moved, [...moved, ...formerUser], "two\n");
    await script("reload");
    expect(await Promise.all([former, changed, untouched].map(said))).toEqual(["ok", "ok", "ok"]);
    await session("risk-manager", passwordOf("risk-manager"));
    await expect(session("backup", passwordOf("backup"))).rejects.toThrow(/WRONGPASS/);
    await script("settle");
    expect(await said(former)).not.toBe("ok");
    expect(await said(changed)).not.toBe("ok");
    expect(await said(untouched)).toBe("ok");
    await expect(session("risk-manager", passwordOf("risk-manager"))).rejects.toThrow(/WRONGPASS/);
  });
});
