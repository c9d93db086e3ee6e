import { readFileSync } from "node:fs";
import type { Daemon } from "../daemon.ts";
import { type Content, splitHead } from "../flow.ts";
import { UserError } from "../log.ts";
import { dockerWords, type OldHost } from "./host.ts";
import { redisPatterns } from "./layout.ts";
import type { OldContainer } from "./project.ts";

const script = readFileSync(new URL("redis-keys.sh", import.meta.url), "utf8");
const lua = readFileSync(new URL("redis-keys.lua", import.meta.url), "utf8");

/** What a dump of Redis holds that the stack's services own, and what it held besides. */
export interface RedisFound {
  readonly found: {
    /** Keys that nobody owns, by their beginning. An empty list comes as an object: Lua knows no other. */
    readonly left: readonly { readonly start: string; readonly count: number }[] | object;
    /** Keys of the other databases. */
    readonly other: number;
  };
  readonly keys: number;
  /** Keys that do not expire, which are the same before and after, and their checksum. */
  readonly permanent: number;
  readonly digest: string;
}

/** How the old server is asked: the password goes by stdin, and from there into the client's environment. */
const inside = (command: string) =>
  `IFS= read -r REDISCLI_AUTH || :; [ -n "$REDISCLI_AUTH" ] && export REDISCLI_AUTH || unset REDISCLI_AUTH; exec redis-cli ${command}`;
const client = ({ id }: OldContainer, command: string) =>
  dockerWords("exec", "--interactive", id, "sh", "-c", inside(command));

/** Keys and bytes of the old Redis. @throws UserError when it does not let us in */
export async function redisSize(
  host: OldHost,
  container: OldContainer,
  password = "",
): Promise<{ keys: number; bytes: number }> {
  const ask = client(container, "info");
  const { stdout, stderr } = await host.run(ask, { input: `${password}\n`, allowFailure: true });
  const [, bytes] = /^used_memory_dataset:(\d+)/m.exec(stdout) ?? [];
  if (bytes === undefined)
    throw new UserError(
      `the old Redis does not answer with the password of ${host.name}/.env (REDIS_PASSWORD, REDIS_URL): ${(stderr || stdout).trim().split("\n").at(-1)}`,
    );
  const keys = [...stdout.matchAll(/^db\d+:keys=(\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
  return { keys, bytes: Number(bytes) };
}

/** A dump of the old Redis, as a replica takes it. */
export function oldDump(host: OldHost, container: OldContainer, password = ""): Content {
  return host.read(client(container, "--rdb -"), `${password}\n`);
}

/** Docker's arguments of a helper of the stack's Redis image, which has no network and keeps everything in memory. */
async function helper(daemon: Daemon, environment: Readonly<Record<string, string>>): Promise<string[]> {
  const format = "{{.Image}} {{.Config.User}}";
  const [image = "", user = ""] = (
    await daemon.ask("inspect", "--format", format, await daemon.container("redis"))
  ).split(" ");
  const variables = { SCRIPT: lua, PATTERNS: JSON.stringify(redisPatterns), ...environment };
  return [
    ...["run", "--rm", "--interactive", "--network", "none", "--read-only", "--user", user, "--cap-drop", "ALL"],
    ...["--security-opt", "no-new-privileges:true", "--tmpfs", "/tmp"],
    ...Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    ...["--entrypoint", "/bin/sh", image, "-euc", script],
  ];
}

/** Keeps of a dump what the stack's services own. */
export async function ownedKeys(daemon: Daemon, dump: Content, database: number) {
  const { head, rest } = await splitHead<RedisFound>(
    daemon.flow(await helper(daemon, { DATABASE: String(database) }), dump),
  );
  return { found: head, content: rest };
}

/** What the stack's Redis holds now. */
export async function redisNow(daemon: Daemon): Promise<RedisFound> {
  const dump = daemon.flow(["exec", await daemon.container("backup"), "node", "/app/backup.mjs", "redis-dump"]);
  const { head, rest } = await splitHead<RedisFound>(
    daemon.flow(await helper(daemon, { DATABASE: "0", FACTS: "1" }), dump),
  );
  for await (const _ of rest);
  return head;
}

/** What of the old keys stays behind, in words. */
export function leftKeys({ found: { left, other } }: RedisFound): string[] {
  const rows = Array.isArray(left) ? (left as readonly { start: string; count: number }[]) : [];
  return [
    ...rows
      .toSorted((a, b) => (a.start < b.start ? -1 : 1))
      .map(({ start, count }) => `${count} keys of Redis that begin with ${start}: no service owns them`),
    ...(other > 0 ? [`${other} keys of Redis in its other databases`] : []),
  ];
}
