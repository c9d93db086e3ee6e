import { setTimeout as pause } from "node:timers/promises";
import type { SmokeRoute } from "../../components/platform/applications/application.ts";
import { defaultTokens } from "./defaultTokens.ts";

/** What an environment answered to one request. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Only over TLS: when the certificate ends, and the protocol's version. */
  readonly certificate?: { readonly validTo: string; readonly protocol: string };
}

/** One request: read-only by type, since no method can be given. */
export interface Request {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Ask = (request: Request) => Promise<Answer>;

export interface SmokeOptions {
  /** `https://host[:port]`, without a path. */
  readonly base: URL;
  /** Published port of plain HTTP; unknown where undefined. */
  readonly httpPort: number | undefined;
  /** The certificate is Caddy's own: short-lived, and signed by nobody that the machine knows. */
  readonly insecure: boolean;
  readonly now: number;
  /** A page of the application that takes a token. */
  readonly token: SmokeRoute;
  /** Waits that many milliseconds. Default: really. */
  readonly wait?: (milliseconds: number) => Promise<unknown>;
}

export interface CheckResult {
  readonly name: string;
  readonly outcome: "ok" | "failed" | "skipped";
  readonly detail: string;
}

/** Days that a certificate from ACME must be good for: the limit of the alert CertificateExpiry. */
const CERTIFICATE_DAYS = 14;
const DAY_MS = 24 * 60 * 60 * 1000;

/** A response header's name, and what is wrong with its value. */
const headerRules: readonly (readonly [string, (value: string) => boolean])[] = [
  ["strict-transport-security", (value) => Number(/max-age=(\d+)/.exec(value)?.[1] ?? 0) >= 15_552_000],
  ["x-content-type-options", (value) => value === "nosniff"],
  ["x-frame-options", (value) => /^(DENY|SAMEORIGIN)$/i.test(value)],
  ["referrer-policy", (value) => value !== "" && value !== "unsafe-url"],
  ["permissions-policy", (value) => value !== ""],
];

/** The faults of the security headers; none is good. */
export function headerFaults(headers: Answer["headers"]): string[] {
  const faults = headerRules.flatMap(([name, good]) => {
    const value = headers[name];
    if (typeof value !== "string") return [`${name} is missing`];
    return good(value) ? [] : [`${name} is "${value}"`];
  });
  return headers.server === undefined ? faults : [...faults, `the server tells its name ("${headers.server}")`];
}

/** Whole days that a certificate is still good for; negative once it has ended. */
export function daysLeft(validTo: string, now: number): number {
  return Math.floor((Date.parse(validTo) - now) / DAY_MS);
}

type Verdict = { readonly ok: boolean; readonly detail: string };
const verdict = (ok: boolean, detail: string): Verdict => ({ ok, detail });
const expectStatus = ({ status }: Answer, wanted: readonly number[]): Verdict =>
  verdict(wanted.includes(status), `answers ${status}${wanted.includes(status) ? "" : `, not ${wanted.join(" or ")}`}`);

/** The default of an old installer's Grafana and login: never to be accepted. */
const DEFAULT_LOGIN = `Basic ${Buffer.from("admin:admin").toString("base64")}`;

/** What an administrator's page answers to an address that is in none of the admin networks. */
const HIDDEN = 404;

interface Check {
  readonly name: string;
  /** Absent for the application's page that takes a token. */
  readonly path?: string;
  readonly login?: true;
  judge(answer: Answer, options: SmokeOptions): Verdict;
}

function certificateVerdict({ certificate }: Answer, { insecure, now }: SmokeOptions): Verdict {
  if (certificate === undefined) return verdict(false, "no TLS");
  const days = daysLeft(certificate.validTo, now);
  const good = insecure ? Date.parse(certificate.validTo) > now : days >= CERTIFICATE_DAYS;
  const modern = /^TLSv1\.[23]$/.test(certificate.protocol);
  return verdict(
    good && modern,
    `${certificate.protocol}, ends ${new Date(certificate.validTo).toISOString().slice(0, 16)}Z, in ${days} days` +
      `${insecure ? " (--insecure: who signed it was not asked)" : good ? "" : `; ${CERTIFICATE_DAYS} are needed`}`,
  );
}

/** Each asks once, or again where it was one too many: the edge takes ten wrong logins per minute from one address. */
const checks: readonly Check[] = [
  {
    name: "health",
    path: "/health",
    judge: ({ status, body }) => verdict(status === 200 && body.trim() === "ok", `answers ${status}`),
  },
  { name: "certificate", path: "/health", judge: certificateVerdict },
  {
    name: "security headers",
    path: "/health",
    judge: ({ headers }) => {
      const faults = headerFaults(headers);
      return verdict(faults.length === 0, faults.join("; ") || "all there");
    },
  },
  {
    name: "Prometheus wants a login",
    path: "/prometheus/api/v1/status/buildinfo",
    judge: (answer) => expectStatus(answer, [401, HIDDEN]),
  },
  {
    name: "Prometheus refuses admin/admin",
    path: "/prometheus/api/v1/status/buildinfo",
    login: true,
    judge: (answer) => expectStatus(answer, [401, HIDDEN]),
  },
  {
    name: "Grafana is healthy",
    path: "/grafana/api/health",
    judge: ({ status, body }) =>
      status === HIDDEN
        ? verdict(true, "is not found from here: adminNetworks")
        : verdict(status === 200 && /"database":\s*"ok"/.test(body), `answers ${status}, its database included`),
  },
  {
    name: "Grafana refuses strangers",
    path: "/grafana/api/search",
    judge: (answer) => expectStatus(answer, [401, 403, HIDDEN]),
  },
  {
    name: "Grafana refuses admin/admin",
    path: "/grafana/api/user",
    login: true,
    judge: (answer) => expectStatus(answer, [401, 403, HIDDEN]),
  },
  {
    name: "Grafana's metrics are not public",
    path: "/grafana/metrics",
    judge: (answer) => expectStatus(answer, [404]),
  },
  {
    name: "the API wants a token",
    judge: (answer, { token }) => expectStatus(answer, token.expected),
  },
  {
    name: "metrics are not public",
    path: "/metrics",
    judge: (answer) => expectStatus(answer, [401, 403, 404]),
  },
  {
    name: "Jaeger is not public",
    path: "/jaeger/",
    judge: (answer) => expectStatus(answer, [401, 403, 404]),
  },
];

/** Whether an answer leads from plain HTTP to this environment's HTTPS. */
export function redirectVerdict({ status, headers }: Answer, base: URL): Verdict {
  const { location } = headers;
  const wanted = new URL("/health", base).href;
  const good = [301, 308].includes(status) && location === wanted;
  return verdict(good, good ? `${status} to ${wanted}` : `answers ${status}, location ${location ?? "none"}`);
}

/** How many of the tokens are asked about at once. */
const AT_ONCE = 6;
/** The longest that a limit of requests per minute makes a client wait, in seconds. */
const LONGEST_WAIT = 60;
/** How long a request waits in all, in seconds: others ask at the same time, and the edge's limit may be followed by the application's own. */
const LONGEST_IN_ALL = 240;

/** A request that waits where it was one too many: as long as the edge says, or a minute where an application's limit does not say it. */
async function patiently(request: Request, ask: Ask, wait: SmokeOptions["wait"] = pause): Promise<Answer> {
  for (let waited = 0; ; ) {
    const answer = await ask(request);
    if (answer.status !== 429 || waited >= LONGEST_IN_ALL) return answer;
    const told = Number(answer.headers["retry-after"]);
    const seconds = (told > 0 && told <= LONGEST_WAIT ? told : LONGEST_WAIT) + 1;
    waited += seconds;
    await wait(seconds * 1000);
  }
}

/**
 * Whether the running gateway refuses a token that anybody could have signed: what a config holds says nothing of a program that
 * does not read it.
 */
async function tokensVerdict({ base, now, token, wait }: SmokeOptions, ask: Ask): Promise<Verdict> {
  const { path, expected } = token;
  const url = new URL(path, base).href;
  const tokens = defaultTokens(now);
  const taken: string[] = [];
  let unanswered = 0;
  for (let first = 0; first < tokens.length; first += AT_ONCE) {
    await Promise.all(
      tokens.slice(first, first + AT_ONCE).map(async ({ name, token: known }) => {
        const { status } = await patiently({ url, headers: { authorization: `Bearer ${known}` } }, ask, wait);
        if (status === 429) unanswered += 1;
        else if (!expected.includes(status)) taken.push(`${name} (answers ${status})`);
      }),
    );
  }
  if (taken.length === 0 && unanswered > 0)
    return verdict(
      false,
      `${unanswered} of ${tokens.length} tokens were not judged: answers 429 for ${LONGEST_IN_ALL} s`,
    );
  return verdict(
    taken.length === 0,
    taken.length === 0
      ? `${tokens.length} tokens tried`
      : `takes a token ${taken.sort().join(", ")}: the gateway does not use the stack's key; its setting has another name`,
  );
}

/** Runs every check. Where nothing answers at all, that is the one result. */
export async function smoke(options: SmokeOptions, ask: Ask): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  const record = async (name: string, work: () => Promise<Verdict>): Promise<boolean> => {
    try {
      const { ok, detail } = await work();
      results.push({ name, outcome: ok ? "ok" : "failed", detail });
      return true;
    } catch (error) {
      results.push({ name, outcome: "failed", detail: error instanceof Error ? error.message : String(error) });
      return false;
    }
  };
  for (const { name, path, login, judge } of checks) {
    const url = new URL(path ?? options.token.path, options.base).href;
    const headers = login ? { authorization: DEFAULT_LOGIN } : {};
    const answered = await record(name, async () =>
      judge(await patiently({ url, headers }, ask, options.wait), options),
    );
    if (!answered && results.length === 1) return results;
  }
  await record("the API refuses known keys", () => tokensVerdict(options, ask));
  const redirect = "HTTP leads to HTTPS";
  if (options.httpPort === undefined) {
    results.push({ name: redirect, outcome: "skipped", detail: "the port of HTTP is unknown: give --http-port" });
  } else {
    const url = `http://${options.base.hostname}:${options.httpPort}/health`;
    await record(redirect, async () => redirectVerdict(await patiently({ url }, ask, options.wait), options.base));
  }
  return results;
}

/** Reads the command's URL. Answers a fault as text. */
export function parseBase(text: string): URL | string {
  if (!URL.canParse(text)) return `"${text}" is no URL; it looks like https://host or https://host:8443`;
  const base = new URL(text);
  if (base.protocol !== "https:") return `${text}: an environment answers at https://`;
  if (base.username !== "" || base.password !== "") return "a login has no place in the URL";
  if (base.pathname !== "/" || base.search !== "" || base.hash !== "") return `${text}: give it without a path`;
  return base;
}
