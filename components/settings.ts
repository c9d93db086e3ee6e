import { isAbsolute } from "node:path";
import { z } from "zod";
import {
  type CredentialName,
  credentialNames,
  credentialSpec,
  isCredentialName,
  rotationUnits,
} from "./credentials/catalogue.ts";
import { overlapUnits } from "./credentials/overlap.ts";
import { DEFAULT_RANGE, overlap, rangeFault } from "./networkRange.ts";
import { serviceNames } from "./platform/catalogue.ts";

const port = z.int().min(1).max(65535);
const generation = z.int("must be a whole number, 1 or more").min(1, "must be 1 or more");
/** A reference pinned by digest: what `docker buildx imagetools inspect` prints. */
const pinnedImage = z
  .string()
  .regex(/^[^@\s]+@sha256:[0-9a-f]{64}$/, "must be pinned by digest: repository@sha256:<64 hex digits>");
/** A service's release: its image, and how it is started and asked for its health where that differs from the convention. */
const release = z.strictObject({
  image: pinnedImage,
  command: z.array(z.string()).min(1).default(["/app/start"]),
  health: z.array(z.string()).min(1).optional(),
});

const publicKey = z
  .string()
  .regex(/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/]+=*( .*)?$/, "must be a public key: `type base64`");
const cidr = z.union(
  [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()],
  "must be an address or a network, such as 203.0.113.7 or 203.0.113.0/24",
);
const account = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "must be an account name in lower case");
/** A machine over SSH, which the stack sets up itself. */
const host = z.strictObject({
  address: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:-]*$/, "must be a host name or an IP address"),
  port: port.default(22),
  firstPort: port.default(22),
  user: account.default("root"),
  hostKey: publicKey.transform((key) => key.split(" ").slice(0, 2).join(" ")),
  privateKeyPath: z.string().min(1).default("~/.ssh/id_ed25519"),
  admins: z.record(account, z.array(publicKey).min(1)).default({}),
  trustedNetworks: z.array(cidr).default([]),
  swapMiB: z.int().min(0).max(65_536).default(2048),
  docker: z
    .strictObject({
      source: z.enum(["debian", "docker"]).default("debian"),
      version: z
        .string()
        .regex(/^[\w.:+~*-]+$/, "must be a version of the package, such as 26.1.*")
        .optional(),
    })
    .prefault({}),
});

const isEmptyObject = (value: unknown) =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

const schema = z
  .strictObject({
    environment: z.enum(["local", "staging", "production"]).default("local"),
    domain: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "must be a host name in lower case, such as trader.example.com")
      .default("localhost"),
    bindAddress: z.union([z.ipv4(), z.ipv6()], "must be an IPv4 or IPv6 address").default("127.0.0.1"),
    httpPort: port.default(8080),
    httpsPort: port.default(8443),
    acmeStaging: z.boolean().default(false),
    adminNetworks: z.array(cidr).default([]),
    networkRange: z.string().default(DEFAULT_RANGE),
    imageSource: z.enum(["registry", "local"]).default("registry"),
    localImages: z.record(z.string(), z.string()).default({}),
    release: z.partialRecord(z.enum(serviceNames), release).default({}),
    generation: z.partialRecord(z.enum(rotationUnits), generation).default({}),
    overlap: z.partialRecord(z.enum(overlapUnits), z.enum(["accept", "present"])).default({}),
    trading: z.strictObject({ live: z.boolean().default(false), liveConfirm: z.string().optional() }).prefault({}),
    logLevel: z.enum(["debug", "info", "warning", "error"]).default("info"),
    filesDir: z
      .string()
      .refine((path) => path === "" || isAbsolute(path), "must be an absolute path")
      .default(""),
    dockerHost: z.string().default("unix:///var/run/docker.sock"),
    // Pulumi wants a default of every key that it knows: an empty one is none.
    host: z.preprocess((value) => (isEmptyObject(value) ? undefined : value), host.optional()),
    backup: z
      .strictObject({
        time: z
          .string()
          .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time of day, UTC, such as 02:00")
          .default("02:00"),
        image: pinnedImage.optional(),
        s3: z
          .string()
          .regex(/^s3:https:\/\/[^\s/]+\/\S+$/, "must be a bucket in restic's form: s3:https://HOST/BUCKET[/FOLDER]")
          .optional(),
      })
      .prefault({}),
    vncServer: z.boolean().default(false),
    symbols: z
      .array(z.string().regex(/^[A-Z0-9.-]+$/, "must be upper case, such as BTC-USD"))
      .min(1)
      .default(["BTC-USD", "ETH-USD", "SPY"]),
  })
  .superRefine((value, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: path.split("."), message });
    const rangeProblem = rangeFault(value.networkRange);
    if (rangeProblem !== undefined) fault("networkRange", rangeProblem);
    const elsewhere = {
      adminNetworks: value.adminNetworks,
      "host.trustedNetworks": value.host?.trustedNetworks ?? [],
      "host.address": value.host === undefined ? [] : [value.host.address],
    };
    for (const [key, networks] of Object.entries(elsewhere)) {
      for (const network of networks.filter((each) => overlap(each, value.networkRange)))
        fault("networkRange", `overlaps with ${network} of ${key}, which is not the containers'; choose another range`);
    }
    for (const [unit, step] of Object.entries(value.overlap)) {
      if (step === undefined) continue;
      if ((value.generation[unit] ?? 1) < 2)
        fault(`overlap.${unit}`, "needs a generation of 2 or more: none is before 1");
    }
    const { live, liveConfirm } = value.trading;
    if (live && (liveConfirm ?? "").trim() === "") {
      fault("trading.liveConfirm", "live trading needs a second, explicit setting: the IB account id");
    }
    if (!live && liveConfirm !== undefined) {
      fault("trading.live", "is not true, but trading.liveConfirm is set; remove that or trade live");
    }
    if (live && value.environment !== "production") {
      fault("trading.live", "only environment production may trade live");
    }
    if (value.environment !== "local") {
      if (value.imageSource === "local")
        fault("imageSource", "locally built images are for environment local; use registry");
      const missing = serviceNames.filter((service) => value.release[service] === undefined);
      if (missing.length > 0)
        fault(
          `release.${missing[0]}.image`,
          `names no image, and a stand-in is for environment local; missing: ${missing.join(", ")}`,
        );
      if (value.backup.image === undefined)
        fault("backup.image", "must be the backup's own image, by the digest that the workflow `images` tells");
      if (value.domain === "localhost") fault("domain", "must be the public host name outside environment local");
    }
    if (value.acmeStaging && value.environment === "production") {
      fault("acmeStaging", "production needs a certificate that browsers trust");
    }
    if (value.httpPort === value.httpsPort) fault("httpsPort", "must differ from httpPort");
    const loopback = value.bindAddress.startsWith("127.") || value.bindAddress === "::1";
    if (!loopback && (value.httpPort !== 80 || value.httpsPort !== 443)) {
      fault("bindAddress", "on a public address Caddy publishes 80 and 443 only; set httpPort 80 and httpsPort 443");
    }
  });

/** The stack's settings, checked. Credentials are not among them: see `supplied`. */
export type Settings = z.infer<typeof schema>;

/** What the stack's config says: settings, and the credentials that the owner supplied (names only; values stay with the engine). */
export interface StackConfig {
  readonly settings: Settings;
  readonly supplied: ReadonlySet<CredentialName>;
}

/** All faults of a config at once, each with the key, what is wrong and how to mend it. */
export class ConfigError extends Error {
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(
      `the stack's config has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`,
    );
    this.name = "ConfigError";
    this.faults = faults;
  }
}

const shared = z.object({ environment: z.enum(["staging", "production"]) });
const live = z.object({ environment: z.literal("production"), trading: z.object({ live: z.literal(true) }) });

/** What is missing of that which only the owner can supply. */
function missingCredentials(raw: unknown, supplied: ReadonlySet<CredentialName>): string[] {
  const required = { "outside-local": shared.safeParse(raw).success, live: live.safeParse(raw).success, never: false };
  return credentialNames.flatMap((name) => {
    const spec = credentialSpec(name);
    if (spec.kind !== "supplied" || supplied.has(name)) return [];
    const wanted = required[spec.required];
    const reason = spec.required === "live" ? "for live trading" : "outside environment local";
    return wanted ? [`${name}: is missing, and needed ${reason}; set it with: pulumi config set --secret ${name}`] : [];
  });
}

const PROJECT = "autollm:";
/** The shortest value of a supplied credential that can be meant; placeholders are shorter or on the policies' list. */
const MIN_SUPPLIED_LENGTH = 4;

/** Reads a raw value as its schema wants it: objects, numbers and booleans arrive as JSON text. */
function parseRaw(raw: string): unknown {
  if (!/^([[{]|true$|false$|-?\d+$)/.test(raw)) return raw;
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}

/** The closest known name, for a key that was mistyped. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const distance = (a: string, b: string): number => {
    let row = Array.from({ length: b.length + 1 }, (_, index) => index);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
        next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
      }
      row = next;
    }
    return row[b.length] ?? a.length;
  };
  const [best] = known.map((candidate) => ({ candidate, d: distance(name, candidate) })).sort((a, b) => a.d - b.d);
  return best !== undefined && best.d <= Math.max(2, name.length / 3) ? best.candidate : undefined;
}

/**
 * Checks a stack's whole config.
 * @param config the engine's config map: `autollm:key` to its text
 * @param secretKeys the keys that are stored encrypted
 * @throws ConfigError with every fault
 */
export function checkConfig(config: Readonly<Record<string, string>>, secretKeys: ReadonlySet<string>): StackConfig {
  const faults: string[] = [];
  const raw: Record<string, unknown> = {};
  const supplied = new Set<CredentialName>();
  const settingNames = Object.keys(schema.shape);
  for (const [fullKey, text] of Object.entries(config)) {
    if (!fullKey.startsWith(PROJECT)) continue;
    const key = fullKey.slice(PROJECT.length);
    if (isCredentialName(key)) {
      if (!secretKeys.has(fullKey)) {
        faults.push(`${key}: is stored in plain text; mend it with: pulumi config set --secret ${key}`);
      }
      if (text.trim().length < MIN_SUPPLIED_LENGTH) {
        faults.push(`${key}: is empty or too short to be real; set it with: pulumi config set --secret ${key}`);
      }
      supplied.add(key);
    } else if (settingNames.includes(key)) {
      const value = parseRaw(text);
      // Free-form text keeps its type, even where it looks like a number.
      raw[key] = key === "domain" || key === "filesDir" ? text : value;
    } else {
      const hint = closest(key, [...settingNames, ...credentialNames]);
      faults.push(
        `${key}: is no known key${hint === undefined ? "." : `; did you mean ${hint}?`} Remove it with: pulumi config rm ${key}`,
      );
    }
  }
  faults.push(...missingCredentials(raw, supplied));
  const result = schema.safeParse(raw);
  if (!result.success) {
    for (const issue of result.error.issues) {
      const path = issue.path.join(".");
      if (issue.code === "unrecognized_keys" || issue.code === "invalid_key") {
        faults.push(`${path}: ${issue.message}`);
      } else {
        faults.push(`${path}: ${issue.message}; mend it with: pulumi config set --path '${path}' VALUE`);
      }
    }
  }
  if (faults.length > 0 || !result.success) throw new ConfigError(faults);
  return { settings: result.data, supplied };
}
