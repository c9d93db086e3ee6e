import { must } from "./exec.ts";
import { requireSecret } from "./settings.ts";

/** The keys of a dump, each read and its checksum verified. @throws when the dump is damaged */
export async function keysOf(file: string): Promise<number> {
  const said = await must("redis-check-rdb", [file]);
  const keys = /(\d+) keys read/.exec(said)?.[1];
  if (keys === undefined) throw new Error("redis-check-rdb does not tell how many keys there are");
  return Number(keys);
}

/** Takes a dump of one moment over the network, as a replica does. */
export async function saveRedis(file: string): Promise<{ keys: number }> {
  await must("redis-cli", ["-h", "redis", "--user", "backup", "--no-auth-warning", "--rdb", file], {
    env: { REDISCLI_AUTH: requireSecret("redis-backup") },
  });
  return { keys: await keysOf(file) };
}
