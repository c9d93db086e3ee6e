import { isAbsolute } from "node:path";
import { z } from "zod";
import { closest } from "./closest.ts";
import { configCommand, configPath } from "./configCommand.ts";
import {
  type CredentialName,
  credentialNames,
  credentialSpec,
  isCredentialName,
  retiredCredentials,
  rotationUnits,
} from "./credentials/catalogue.ts";
import { exchanges } from "./credentials/fixed.ts";
import { overlapSteps, overlapUnits } from "./credentials/overlap.ts";
import { confirmFaults, LIVE_CONFIRM, paperFaults, suppliedFaults } from "./credentials/suppliedFaults.ts";
import { domainsSchema, HOST_NAME } from "./edge/domains.ts";
import { cidr, port, timeOfDay } from "./fields.ts";
import { hostSchema } from "./host/hostSchema.ts";
import { storeImages } from "./images.ts";
import { DOMAINS, plainNestedSecrets, setNestedSecret } from "./nestedSecrets.ts";
import { DEFAULT_RANGE, overlap, rangeFault } from "./networkRange.ts";
import { proxyFaults } from "./networks.ts";
import { freqtradeSchema, mailSchema } from "./outside.ts";
import { applicationNames } from "./platform/applications/index.ts";
import { serviceNames } from "./platform/catalogue.ts";
import { pinnedImage, releaseSchema, sharingFaults, startFaults } from "./platform/release.ts";
import { declaredStart, referenceFaults } from "./platform/started.ts";
import { registriesSchema } from "./registries.ts";

const generation = z.int("must be a whole number, 1 or more").min(1, "must be 1 or more");

/** The domain if the config sets none. */
export const DEFAULT_DOMAIN = "localhost";

/** The parts of a key: a path in a container is one, whatever dots it has, and the last. */
function partsOf(key: string): string[] {
  const at = key.indexOf("./");
  return at === -1 ? key.split(".") : [...key.slice(0, at).split("."), key.slice(at + 1)];
}

const isEmptyObject = (value: unknown) =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

/** An image that is pinned by digest, or was built on this machine. */
const HELD = /^(\S+@sha256:[0-9a-f]{64}|autollm\.local\/[\w-]+:\w+)$/;

const schema = z
  .strictObject({
    environment: z.enum(["local", "staging", "production"]).default("local"),
    domain: z
      .string()
      .regex(HOST_NAME, "must be a host name in lower case, such as trader.example.com")
      .default(DEFAULT_DOMAIN),
    domains: domainsSchema.default({}),
    bindAddress: z.union([z.ipv4(), z.ipv6()], "must be an IPv4 or IPv6 address").default("127.0.0.1"),
    httpPort: port.default(8080),
    httpsPort: port.default(8443),
    acmeStaging: z.boolean().default(false),
    adminNetworks: z.array(cidr).default([]),
    trustedProxies: z.array(cidr).default([]),
    networkRange: z.string().default(DEFAULT_RANGE),
    // Docker's own default. While a container starts, Docker 25 and later check every 5 seconds, so what depends on it does not wait
    // longer for this. Each check is a process in the container: at 5 seconds they took as much of a small host as the platform itself
    // (docs/performance.md).
    healthInterval: z
      .int("must be whole seconds")
      .min(5, "must be 5 or more")
      .max(59, "must be 59 or less")
      .default(30),
    imageSource: z.enum(["registry", "local"]).default("registry"),
    localImages: z.record(z.string(), z.string()).default({}),
    heldImages: z
      .partialRecord(z.enum(storeImages), z.string().regex(HELD, "must name its digest: repository:tag@sha256:…"))
      .default({}),
    registries: registriesSchema.default({}),
    application: z.enum(applicationNames).default("conventions"),
    release: z.partialRecord(z.enum(serviceNames), releaseSchema).default({}),
    // A stack of an earlier version may still name the generation of a credential that no longer exists: it is ignored.
    generation: z.partialRecord(z.enum([...rotationUnits, ...Object.keys(retiredCredentials)]), generation).default({}),
    overlap: z.partialRecord(z.enum(overlapUnits), z.enum(["accept", "present"])).default({}),
    trading: z
      .strictObject({
        live: z.boolean().default(false),
        liveConfirm: z.string().optional(),
        /** The exchanges whose supplied keys are of their sandbox, and trade with no real money. */
        sandbox: z.array(z.enum(exchanges)).default([]),
      })
      .prefault({}),
    logLevel: z.enum(["debug", "info", "warning", "error"]).default("info"),
    filesDir: z
      .string()
      .refine((path) => path === "" || isAbsolute(path), "must be an absolute path")
      .default(""),
    dockerHost: z.string().default("unix:///var/run/docker.sock"),
    // Pulumi wants a default of every key that it knows: an empty one is none.
    host: z.preprocess((value) => (isEmptyObject(value) ? undefined : value), hostSchema.optional()),
    backup: z
      .strictObject({
        time: timeOfDay.default("02:00"),
        everyHours: z
          .int("must be whole hours")
          .refine((hours) => hours > 0 && 24 % hours === 0, "must divide a day: 1, 2, 3, 4, 6, 8, 12 or 24")
          .default(1),
        image: pinnedImage.optional(),
        s3: z
          .string()
          .regex(/^s3:https?:\/\/[^\s/]+\/\S+$/, "must be a bucket in restic's form: s3:https://HOST/BUCKET[/FOLDER]")
          .optional(),
        pointInTimeDays: z
          .int("must be whole days")
          .min(1, "must be 1 or more")
          .max(35, "must be 35 or less")
          .default(7),
        testMemory: z.int("must be whole MiB").min(256, "must be 256 or more").default(1024),
      })
      .prefault({}),
    edge: z.strictObject({ image: pinnedImage.optional() }).prefault({}),
    mail: mailSchema.prefault({}),
    freqtradeHost: freqtradeSchema.default(""),
    vncServer: z.boolean().default(false),
    symbols: z
      .array(z.string().regex(/^[A-Z0-9.-]+$/, "must be upper case, such as BTC-USD"))
      .min(1)
      .default(["BTC-USD", "ETH-USD", "SPY"]),
  })
  .superRefine((value, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: "custom", path: partsOf(path), message });
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
      if (!overlapSteps(unit).includes(step)) fault(`overlap.${unit}`, `must be ${overlapSteps(unit).join(" or ")}`);
    }
    const { live, liveConfirm } = value.trading;
    if (live && (liveConfirm ?? "").trim() === "") {
      fault("trading.liveConfirm", "live trading needs a second, explicit setting: the account that ib-account names");
    }
    if (!live && liveConfirm !== undefined) {
      fault("trading.live", "is not true, but trading.liveConfirm is set; remove that or trade live");
    }
    if (live && value.environment !== "production") {
      fault("trading.live", "only environment production may trade live");
    }
    if (value.environment !== "local") {
      if (value.backup.s3?.startsWith("s3:http:"))
        fault("backup.s3", "must be reached over https; http is for environment local");
      if (value.imageSource === "local")
        fault("imageSource", "locally built images are for environment local; use registry");
      const missing = serviceNames.filter((service) => value.release[service] === undefined);
      if (missing.length > 0)
        fault(
          `release.${missing[0]}.image`,
          `names no image, and a stand-in is for environment local; missing: ${missing.join(", ")}`,
        );
      if (value.backup.image === undefined)
        fault("backup.image", "must be the backup's own image, by the digest that the workflow `images` prints");
      if (value.edge.image === undefined)
        fault("edge.image", "must be the image of edge-sockets, by the digest that the workflow `images` prints");
      if (value.domain === DEFAULT_DOMAIN) fault("domain", "must be the public host name outside environment local");
    }
    const declared = new Map(serviceNames.map((service) => [service, declaredStart(service, value)] as const));
    for (const [service, start] of declared) {
      if (value.release[service] === undefined) continue;
      for (const [path, message] of startFaults(service, start)) fault(`release.${service}.${path}`, message);
    }
    for (const [service, path, message] of sharingFaults(declared)) fault(`release.${service}.${path}`, message);
    for (const wrong of proxyFaults(value.trustedProxies, value.adminNetworks)) fault("trustedProxies", wrong);
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

/** All faults of a config at once, each with the key, what is wrong and how to fix it. */
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

/** The values that are missing and that only the owner can supply. */
function missingCredentials(raw: unknown, supplied: ReadonlySet<CredentialName>, stack: string): string[] {
  const required = { "outside-local": shared.safeParse(raw).success, live: live.safeParse(raw).success, never: false };
  return credentialNames.flatMap((name) => {
    const spec = credentialSpec(name);
    if (spec.kind !== "supplied" || supplied.has(name)) return [];
    const wanted = required[spec.required];
    const reason = spec.required === "live" ? "for live trading" : "outside environment local";
    const set = configCommand(stack, `set --secret ${name}`);
    return wanted ? [`${name}: is missing, and needed ${reason}; set it with: ${set}`] : [];
  });
}

const PROJECT = "autollm:";

/** Reads a raw value as its schema wants it: objects, numbers and booleans arrive as JSON text. */
function parseRaw(raw: string): unknown {
  if (!/^([[{]|true$|false$|-?\d+$)/.test(raw)) return raw;
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}

/** Faults that the schema finds, each with the key, what is wrong and how to fix it. */
function schemaFaults(error: z.ZodError, stack: string): readonly string[] {
  return error.issues.flatMap((issue) => {
    const path = configPath(issue.path);
    if (issue.code === "invalid_key")
      return issue.issues.map(
        ({ message }) => `${path}: ${message}. Remove it with: ${configCommand(stack, `rm --path '${path}'`)}`,
      );
    if (issue.code === "unrecognized_keys") return [`${path}: ${issue.message}`];
    const certificate = issue.path[0] === DOMAINS && issue.path[2] === "certificate";
    const set =
      setNestedSecret(issue.path, stack) ??
      configCommand(
        stack,
        path === LIVE_CONFIRM
          ? `set --secret --path '${path}'`
          : `set --path '${path}' ${certificate ? "< certificate.pem" : "VALUE"}`,
      );
    return [`${path}: ${issue.message}; fix it with: ${set}`];
  });
}

/**
 * Checks a stack's whole config.
 * @param config the engine's config map: `autollm:key` to its text; undefined for a value that exists but was not decrypted
 * @param secretKeys the keys that are stored encrypted
 * @param stack the stack's name, for the commands that the faults name; default `local`
 * @throws ConfigError with every fault
 */
export function checkConfig(
  config: Readonly<Record<string, string | undefined>>,
  secretKeys: ReadonlySet<string>,
  stack = "local",
): StackConfig {
  const faults: string[] = [];
  const raw: Record<string, unknown> = {};
  const supplied = new Set<CredentialName>();
  const values = new Map<CredentialName, string>();
  const settingNames = Object.keys(schema.shape);
  for (const [fullKey, text] of Object.entries(config)) {
    if (!fullKey.startsWith(PROJECT)) continue;
    const key = fullKey.slice(PROJECT.length);
    if (isCredentialName(key)) {
      if (!secretKeys.has(fullKey)) {
        const set = configCommand(stack, `set --secret ${key}`);
        faults.push(`${key}: is stored in plain text; set it with: ${set}`);
      }
      supplied.add(key);
      if (text !== undefined) values.set(key, text);
    } else if (settingNames.includes(key)) {
      if (text === undefined) continue;
      // Free-form text keeps its type, even where it looks like a number.
      raw[key] = ["domain", "filesDir", "freqtradeHost"].includes(key) ? text : parseRaw(text);
    } else if (Object.hasOwn(retiredCredentials, key)) {
      faults.push(
        `${key}: is no longer a credential: ${retiredCredentials[key]?.join(", ")} took its place. Remove it with: ${configCommand(stack, `rm ${key}`)}`,
      );
    } else {
      const hint = closest(key, [...settingNames, ...credentialNames]);
      const remove = configCommand(stack, `rm ${key}`);
      faults.push(
        `${key}: is no known key${hint === undefined ? "." : `; did you mean ${hint}?`} Remove it with: ${remove}`,
      );
    }
  }
  const domain = typeof raw.domain === "string" ? raw.domain : DEFAULT_DOMAIN;
  const hosts = [domain, ...Object.keys(z.looseObject({}).safeParse(raw.domains).data ?? {})];
  faults.push(...suppliedFaults(values, hosts, stack), ...missingCredentials(raw, supplied, stack));
  faults.push(...plainNestedSecrets(raw, (setting) => secretKeys.has(`${PROJECT}${setting}`), stack));
  const trading = schema.shape.trading.safeParse(raw.trading ?? {});
  if (trading.success) {
    const isSecret = secretKeys.has(`${PROJECT}trading`);
    faults.push(...confirmFaults(trading.data, values.get("ib-account"), isSecret, stack));
    faults.push(...paperFaults(trading.data, supplied, stack));
  }
  const result = schema.safeParse(raw);
  if (!result.success) faults.push(...schemaFaults(result.error, stack));
  else
    for (const [key, problem] of referenceFaults(result.data, supplied))
      faults.push(
        `${key}: ${problem}; supply it, or use the reference as the whole value: then it is left out if it is not supplied`,
      );
  if (faults.length > 0 || !result.success) throw new ConfigError(faults);
  return { settings: result.data, supplied };
}
