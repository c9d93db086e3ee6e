import { type ApplicationName, applications } from "../../components/platform/applications/index.ts";
import type { ServiceName } from "../../components/platform/catalogue.ts";
import { refer } from "../../components/platform/references.ts";
import { missingMetrics } from "./metrics.ts";

/** What was seen of an image while it ran as the stack would run it. What could not be seen is absent. */
export interface Seen {
  /** One line by which the stack refuses to start the image at all. */
  readonly refusal?: string;
  /** It ended by itself. */
  readonly ended?: { readonly code: number; readonly killedForMemory: boolean };
  readonly lastLines: readonly string[];
  /** What it may have of memory, MiB. */
  readonly limitMiB: number;
  /** What it takes if it may have more than its limit, which it met, MiB. */
  readonly neededMiB?: number;
  /** Seconds until it was healthy after all, where that was too late. */
  readonly lateSeconds?: number;
  /** By its health check; a batch job has none. */
  readonly health: "healthy" | "unhealthy" | "none";
  /** Seconds until it was healthy, or until nobody waited any more. */
  readonly seconds: number;
  /** Whether another container reaches its port. */
  readonly listens?: boolean;
  /** What another container was answered at /health; 0 where there was no answer. */
  readonly healthStatus?: number;
  readonly metricsPage?: string;
  readonly log: readonly string[];
  /** Names of the credentials whose values stand in its log. */
  readonly leaked: readonly string[];
  /** Paths that it writes to when nothing stops it. */
  readonly written: readonly string[];
  readonly stores: readonly StoreSeen[];
  /** Subjects that NATS refused it, each with what it wanted to do there. */
  readonly refusedSubjects: readonly string[];
  readonly stop?: { readonly seconds: number; readonly killed: boolean };
  readonly memory?: { readonly usedMiB: number; readonly limitMiB: number };
}

/** A store that the service needs, and whether it logged in there. */
export interface StoreSeen {
  readonly store: "nats" | "postgres" | "redis";
  readonly loggedIn: boolean;
  /** NATS: whether the session is encrypted. */
  readonly tls?: boolean;
  /** NATS: a client broke off the handshake, as it does when it does not trust the server. */
  readonly handshakeFailed?: boolean;
}

export interface Row {
  readonly check: string;
  /** `unknown`: it could not be seen, and is no fault by itself. */
  readonly outcome: "ok" | "short" | "unknown";
  readonly detail: string;
  readonly fix?: string;
}

export interface Judged {
  readonly service: ServiceName;
  /** Whose image it is. */
  readonly application: ApplicationName;
  readonly port: number | null;
  /** The paths where it may write. */
  readonly writable: readonly string[];
}

/** The share of its limit that a service may have in memory when it has nothing to do. */
const MEMORY_AT_REST = 0.75;
/** How many of a list stand in a row. */
const SHOWN = 4;

const ok = (check: string, detail: string): Row => ({ check, outcome: "ok", detail });
const short = (check: string, detail: string, fix: string): Row => ({ check, outcome: "short", detail, fix });
const unknown = (check: string, detail: string): Row => ({ check, outcome: "unknown", detail });
const list = (items: readonly string[]) =>
  items.length <= SHOWN ? items.join(", ") : `${items.slice(0, SHOWN).join(", ")} and ${items.length - SHOWN} more`;

const REFUSED_WRITE = /read-only file ?system|EROFS|errno 30\b/i;

/** Bytecode and lists of packages are kept where that is allowed, and nobody minds where it is not. */
const HARMLESS = /\/__pycache__(\/|$)|\.pyc$|^\/root(\/\.(cache|local|config))?$/;
/** What Docker itself makes in a container. */
const DOCKERS_OWN = /^\/(dev|proc|sys|run|tmp|(usr\/)?sbin\/docker-init|etc\/(hosts|hostname|resolv\.conf|mtab))(\/|$)/;

const within = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);

/** Of what `docker diff` lists, the places that the stack would refuse to write to: the deepest of each. */
export function refusedPaths(diff: string, mounted: readonly string[]): string[] {
  const paths = diff
    .split("\n")
    .filter((line) => /^[AC] /.test(line))
    .map((line) => line.slice(2));
  return (
    paths
      // A folder is listed with whatever changed below it.
      .filter((path) => !paths.some((other) => other !== path && within(other, path)))
      .filter((path) => !DOCKERS_OWN.test(path) && !HARMLESS.test(path))
      // What is mounted there is written to by right, and Docker makes the way to it.
      .filter((path) => !mounted.some((each) => within(path, each) || within(each, path)))
      .sort()
  );
}

/** The folders of a list of files. */
const foldersOf = (paths: readonly string[]) => [
  ...new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/")) || "/")),
];

/** The limit, MiB, under which a program that takes so much at rest is well. */
const roomFor = (usedMiB: number) => Math.ceil((usedMiB / MEMORY_AT_REST / 64) * 1.2) * 64;

/** A start period, seconds, within which a program that took so long once is healthy on a busy host, too. */
const startPeriodFor = (seconds: number) => Math.ceil((seconds * 1.5) / 30) * 30;

function judgeStart(seen: Seen): Row {
  const said = seen.lastLines.length === 0 ? "" : `; its last words: ${seen.lastLines.join(" | ")}`;
  if (seen.ended === undefined) return ok("starts", `it runs as the stack's user`);
  const { code, killedForMemory } = seen.ended;
  const { limitMiB, neededMiB } = seen;
  if (killedForMemory)
    return neededMiB === undefined
      ? short(
          "starts",
          `it ran out of memory at its limit of ${limitMiB} MiB, and with four times as much`,
          "release.NAME.memory: MiB",
        )
      : short(
          "starts",
          `it ran out of memory at its limit of ${limitMiB} MiB; if it may, it takes ${neededMiB} MiB`,
          `release.NAME.memory: ${roomFor(neededMiB)}; a virtual machine such as Java's takes a quarter of it for its heap by default (-XX:MaxRAMPercentage)`,
        );
  return short(
    "starts",
    `it ended with exit code ${code} after ${seen.seconds} s${said}`,
    "see what it misses in its last words: a setting (release.NAME.environment), a place to write to (release.NAME.writable), or a right of root",
  );
}

function judgeServing(seen: Seen, { service, application, port }: Judged): Row[] {
  if (port === null) return [];
  const fix = `listen on 0.0.0.0:${port}, or on every name in HTTP_LISTEN`;
  if (seen.ended !== undefined)
    return ["listens", "health", "metrics"].map((check) => unknown(check, "it does not run"));
  const { lateSeconds } = seen;
  const health =
    lateSeconds !== undefined
      ? short(
          "health",
          `it is healthy after ${lateSeconds} s, which is later than its start period allows: an up would fail, and a host's watchdog would restart it again and again`,
          `release.NAME.startPeriod: ${startPeriodFor(lateSeconds)}`,
        )
      : seen.healthStatus === 200 && seen.health === "healthy"
        ? ok("health", `GET /health answers 200; healthy after ${seen.seconds} s`)
        : short(
            "health",
            `GET /health ${seen.healthStatus === 0 || seen.healthStatus === undefined ? "is not answered" : `answers ${seen.healthStatus}`}, and its health check says ${seen.health} after ${seen.seconds} s`,
            "answer 200 at /health as soon as it can serve; a slow start: release.NAME.startPeriod; another page: release.NAME.health",
          );
  const missing =
    seen.metricsPage === undefined ? [] : missingMetrics(service, seen.metricsPage, applications[application]);
  const metrics =
    seen.metricsPage === undefined
      ? short("metrics", "GET /metrics shows no page of metrics", "serve Prometheus's text format at /metrics")
      : missing.length === 0
        ? ok("metrics", "every metric that the rules read is there")
        : short(
            "metrics",
            `the rules read ${missing.length} that it does not show: ${missing.join(", ")}`,
            "export them by these names, or map its own in the application's table (docs/application.md): an alert whose metric is missing never fires",
          );
  return [
    seen.listens === true
      ? ok("listens", `other containers reach port ${port}`)
      : short("listens", `no other container reaches port ${port}`, fix),
    health,
    metrics,
  ];
}

function judgeWrites(seen: Seen, { writable }: Judged): Row {
  const refused = seen.log.filter((line) => REFUSED_WRITE.test(line));
  if (refused.length === 0 && seen.written.length === 0)
    return ok("writes", `it writes to nothing but ${list(writable)}`);
  const where = seen.written.length === 0 ? "its log tells of a refused write" : `it writes to ${list(seen.written)}`;
  return short(
    "writes",
    `${where}, where nothing can be written`,
    seen.written.length === 0
      ? "write below /tmp, or name the folder: release.NAME.writable.PATH {memory: MiB} or {volume: true}"
      : foldersOf(seen.written)
          .slice(0, SHOWN)
          .map((folder) => `release.NAME.writable.${folder} {memory: 64}, or {volume: true} for what must stay`)
          .join("; "),
  );
}

function judgeStore({ store, loggedIn, tls, handshakeFailed }: StoreSeen): Row {
  if (loggedIn && tls !== false) return ok(store, tls === true ? "it logs in, over TLS" : "it logs in as its own user");
  if (loggedIn) return short(store, "its session is not encrypted", "connect to tls://nats:4222");
  if (handshakeFailed === true)
    return short(
      store,
      "it breaks off the TLS handshake: it does not trust the platform's authority",
      "take the authorities of SSL_CERT_FILE, or those of NATS_CA_PATH; see docs/application.md",
    );
  return store === "nats"
    ? short(
        store,
        "it does not log in",
        `read NATS_URL, or give its address by release.NAME.environment (${refer("address", "nats.url")})`,
      )
    : unknown(store, "it has not logged in so far: it may do so only when it is asked for something");
}

function judgeLog(seen: Seen): Row[] {
  const lines = seen.log.filter((line) => line.trim() !== "");
  const isJson = (line: string) => {
    try {
      const value: unknown = JSON.parse(line);
      return typeof value === "object" && value !== null && !Array.isArray(value);
    } catch {
      return false;
    }
  };
  const plain = lines.filter((line) => !isJson(line));
  const levels = lines
    .filter(isJson)
    .filter(
      (line) => !["level", "levelname", "severity"].some((key) => Object.hasOwn(JSON.parse(line) as object, key)),
    );
  const logs =
    lines.length === 0
      ? unknown("logs", "it logs nothing")
      : plain.length > 0
        ? short(
            "logs",
            `${plain.length} of ${lines.length} lines are no JSON, such as: ${(plain[0] ?? "").slice(0, 100)}`,
            "log one JSON object a line, with level, levelname or severity; uvicorn: log_config=None and a formatter of your own",
          )
        : levels.length > 0
          ? short(
              "logs",
              `${levels.length} of ${lines.length} lines tell no level`,
              "name it level, levelname or severity",
            )
          : ok("logs", `${lines.length} lines of JSON, each with its level`);
  const secrets =
    seen.leaked.length === 0
      ? ok("secrets", "no value of a credential stands in its log")
      : short(
          "secrets",
          `its log shows ${list(seen.leaked)}`,
          "log no URL with a password, and no settings as a whole",
        );
  return [logs, secrets];
}

function judgeEnd(seen: Seen): Row[] {
  const { stop, memory } = seen;
  const stops =
    stop === undefined
      ? unknown("stops", "it had ended before")
      : stop.killed
        ? short(
            "stops",
            `it takes no notice of SIGTERM, and is killed after ${stop.seconds} s`,
            "end at SIGTERM; a start script must `exec` its program, so that the signal reaches it",
          )
        : ok("stops", `it ends ${stop.seconds} s after SIGTERM`);
  if (memory === undefined) return [stops, unknown("memory", "it does not run")];
  const { usedMiB, limitMiB } = memory;
  const detail = `${usedMiB} of ${limitMiB} MiB at rest`;
  return [
    stops,
    usedMiB > MEMORY_AT_REST * limitMiB
      ? short("memory", detail, `release.NAME.memory: ${roomFor(usedMiB)}`)
      : ok("memory", detail),
  ];
}

/** What falls short of what the stack wants of a service's image, and how to fix it. */
export function judge(seen: Seen, judged: Judged): Row[] {
  const named = (row: Row): Row =>
    row.fix === undefined ? row : { ...row, fix: row.fix.replaceAll("release.NAME", `release.${judged.service}`) };
  if (seen.refusal !== undefined)
    return [
      short(
        "starts",
        seen.refusal,
        "change the image so; the stack refuses it in the same words before it replaces anything",
      ),
    ];
  const subjects =
    seen.refusedSubjects.length === 0
      ? []
      : [
          short(
            "subjects",
            `NATS refused it ${list(seen.refusedSubjects)}`,
            "use the subjects of its row in components/platform/catalogue.ts and the inbox that is its own, or grant it the standard one and a stream of its own by `messaging` (docs/application.md)",
          ),
        ];
  return [
    judgeStart(seen),
    ...judgeServing(seen, judged),
    judgeWrites(seen, judged),
    ...seen.stores.map(judgeStore),
    ...subjects,
    ...judgeLog(seen),
    ...judgeEnd(seen),
  ].map(named);
}
