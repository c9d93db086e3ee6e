import { createHash } from "node:crypto";

/** What a service's Redis user may touch. */
export interface RedisAccess {
  /** Patterns of the keys that it reads and writes (Redis's own: `*`, `?`, `[ab]`). */
  readonly keys: readonly string[];
  /** Patterns of other services' keys, which it only reads. */
  readonly reads?: readonly string[];
  /** Channels that it publishes to and subscribes to. Default: none. */
  readonly channels?: readonly string[];
  /** Whether it runs Lua scripts, which reach its own keys only. Default: it does not. */
  readonly scripts?: boolean;
}

/** A user of Redis. */
export interface RedisUser {
  readonly user: string;
  readonly password: string;
  /** Its rights, as an access list writes them. */
  readonly rules: readonly string[];
}

/** What every service may run. Each command that is not here is refused, those of a later Redis too. */
const COMMANDS = [
  // Commands that read or write a key that they name: which keys is a matter of the patterns.
  "+@read",
  "+@write",
  // Several of them as one (MULTI, WATCH): each is checked for itself.
  "+@transaction",
  // Functions belong to the whole server, and loading one replaces another user's; scripts are granted one by one.
  "-@scripting",
  // Commands that control the server, or that expose or damage more than the user's own keys: CONFIG, ACL, CLIENT LIST, MONITOR, KEYS, FLUSHALL.
  "-@admin",
  "-@dangerous",
  // They name no key and show everybody's.
  ..."scan randomkey dbsize lolwut".split(" ").map((command) => `-${command}`),
  // There is one database, number 0: another would be unmonitored.
  ..."move copy".split(" ").map((command) => `-${command}`),
  // What clients send when they connect, and for their health; it exposes nothing of others.
  ..."ping echo time client|id client|getname client|setname client|setinfo".split(" ").map((command) => `+${command}`),
] as const;

/** Scripts by their text or their hash; SCRIPT FLUSH and SCRIPT KILL would affect other users' scripts. */
const SCRIPTS = "eval eval_ro evalsha evalsha_ro script|load script|exists".split(" ").map((command) => `+${command}`);

/** A service's rights: its own keys, and what it may do with them. */
export function serviceRules({ keys, reads = [], channels = [], scripts = false }: RedisAccess): readonly string[] {
  return [
    "resetchannels",
    ...channels.map((pattern) => `&${pattern}`),
    ...keys.map((pattern) => `~${pattern}`),
    ...reads.map((pattern) => `%R~${pattern}`),
    "-@all",
    ...COMMANDS,
    ...(channels.length > 0 ? ["+@pubsub", "-pubsub"] : []),
    ...(scripts ? SCRIPTS : []),
  ];
}

/** The exporter's rights: statistics of the server, and no key. SLOWLOG GET, CONFIG GET and CLIENT LIST would show other users' data. */
export const exporterRules: readonly string[] = [
  "resetchannels",
  "-@all",
  ..."ping info client|setname latency|latest latency|histogram slowlog|len".split(" ").map((command) => `+${command}`),
];

/** The limiter's rights: its own counts, by the one script that it sends; services/backup/src/sharedAttempts.ts says the same. */
export const limiterRules: readonly string[] = [
  "resetchannels",
  "~edge:attempts:*",
  "-@all",
  ..."ping client|setinfo eval evalsha get set time".split(" ").map((command) => `+${command}`),
];

/** The backup's rights: it may copy the whole data set, as a replica does, and neither read a single key nor write one. */
export const backupRules: readonly string[] = [
  "resetchannels",
  "-@all",
  ..."ping replconf psync sync".split(" ").map((command) => `+${command}`),
];

/** A password as an access list takes it: by its SHA-256, so that it may hold any character, and a reader of the file cannot log in. */
const hashed = (password: string) => `#${createHash("sha256").update(password).digest("hex")}`;

/**
 * The access list. Redis's built-in user `default` is off and has no password: nobody can log in as it, nor without a name. It has
 * every right all the same, since Redis itself acts as this user while it reads its append-only file: without them it refuses each
 * transaction there, and what one wrote is lost at a restart.
 */
export function redisAcl(users: readonly RedisUser[]): string {
  return [
    "user default off resetpass ~* &* +@all",
    ...users.map(({ user, password, rules }) => `user ${user} on ${hashed(password)} ${rules.join(" ")}`),
    "",
  ].join("\n");
}
