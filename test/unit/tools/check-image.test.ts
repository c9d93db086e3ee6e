import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { applications } from "../../../components/platform/applications/index.ts";
import { services } from "../../../components/platform/catalogue.ts";
import { certificate } from "../../../tools/checkImage/certificates.ts";
import { companions, refusedSubjects } from "../../../tools/checkImage/check.ts";
import { dockerArgs } from "../../../tools/checkImage/dockerArgs.ts";
import { type Judged, judge, type Row, refusedPaths, type Seen } from "../../../tools/checkImage/judge.ts";
import { Made } from "../../../tools/checkImage/made.ts";
import { missingMetrics, neededOf, shownMetrics } from "../../../tools/checkImage/metrics.ts";
import type { ContainerInputs, Plan } from "../../../tools/checkImage/plan.ts";
import { hidden, secretsOf } from "../../../tools/checkImage/secrets.ts";
import { table } from "../../../tools/checkImage/table.ts";
import { root } from "../../../tools/lib/workspace.ts";
import { randomText } from "../lib/values.ts";

const judged: Judged = { service: "portfolio-ledger", application: "conventions", port: 8073, writable: ["/tmp"] };

const page = neededOf("portfolio-ledger")
  .map(({ name, labels }) => `${name}{${labels.map((label) => `${label}="x"`).join(",")}} 1`)
  .join("\n");

/** An image of which nothing falls short. */
const good: Seen = {
  lastLines: [],
  limitMiB: 256,
  health: "healthy",
  seconds: 2,
  listens: true,
  healthStatus: 200,
  metricsPage: page,
  log: ['{"level":"info","message":"up"}'],
  leaked: [],
  written: [],
  stores: [
    { store: "nats", loggedIn: true, tls: true },
    { store: "postgres", loggedIn: true },
  ],
  refusedSubjects: [],
  stop: { seconds: 0.3, killed: false },
  memory: { usedMiB: 60, limitMiB: 256 },
};
const short = (rows: readonly Row[]) => rows.filter(({ outcome }) => outcome === "short");
const shortOf = (more: Partial<Seen>) => short(judge({ ...good, ...more }, judged));

describe("the judgement of an image", () => {
  it("finds nothing short of a good one", () => {
    expect(judge(good, judged).every(({ outcome }) => outcome === "ok")).toBe(true);
  });

  it.each<[string, Partial<Seen>, string, RegExp]>([
    [
      "one that ended",
      { ended: { code: 3, killedForMemory: false }, lastLines: ["no key"] },
      "starts",
      /code 3.*no key/,
    ],
    [
      "one that runs out of memory",
      { ended: { code: 137, killedForMemory: true }, neededMiB: 600 },
      "starts",
      /limit of 256 MiB; if it may, it takes 600 MiB/,
    ],
    [
      "one that runs out of any memory",
      { ended: { code: 1, killedForMemory: true } },
      "starts",
      /limit of 256 MiB, and with four times as much/,
    ],
    ["one that is slow", { health: "unhealthy", lateSeconds: 62 }, "health", /healthy after 62 s/],
    ["one that serves the loopback alone", { listens: false, healthStatus: 0 }, "listens", /8073/],
    ["one that is never healthy", { health: "unhealthy", healthStatus: 503 }, "health", /answers 503.*unhealthy/],
    ["one without metrics", { metricsPage: "" }, "metrics", /process_resident_memory_bytes/],
    [
      "a refused write",
      { log: ['{"level":"error","message":"[Errno 30] Read-only file system: \'x\'"}'] },
      "writes",
      /./,
    ],
    ["a write that nobody saw refused", { written: ["/app/data/users.json"] }, "writes", /\/app\/data\/users.json/],
    ["NATS without TLS", { stores: [{ store: "nats", loggedIn: true, tls: false }] }, "nats", /not encrypted/],
    ["a broken handshake", { stores: [{ store: "nats", loggedIn: false, handshakeFailed: true }] }, "nats", /trust/],
    ["no login to NATS", { stores: [{ store: "nats", loggedIn: false }] }, "nats", /does not log in/],
    ["subjects of others", { refusedSubjects: ["subscribe to _INBOX.>"] }, "subjects", /_INBOX/],
    ["a plain log", { log: ["INFO: up", '{"level":"info"}'] }, "logs", /1 of 2 lines.*INFO: up/],
    ["a log without levels", { log: ['{"message":"up"}'] }, "logs", /no level/],
    ["a log with a password", { leaked: ["NATS_PASSWORD"] }, "secrets", /NATS_PASSWORD/],
    ["a deaf one", { stop: { seconds: 15.1, killed: true } }, "stops", /SIGTERM/],
    ["a heavy one", { memory: { usedMiB: 230, limitMiB: 256 } }, "memory", /230 of 256/],
  ])("names %s, and how to fix it", (_, more, check, detail) => {
    const found = shortOf(more).find((row) => row.check === check);
    expect(found?.detail).toMatch(detail);
    expect(found?.fix).toMatch(/./);
    expect(found?.fix).not.toContain("release.NAME");
  });

  it("says how much memory and time would do", () => {
    const fixes = (more: Partial<Seen>) => shortOf(more).map(({ fix }) => fix);
    const starved = { ended: { code: 137, killedForMemory: true }, neededMiB: 600 };
    expect(fixes(starved)[0]).toMatch(/^release\.portfolio-ledger\.memory: 960;/);
    expect(fixes({ health: "unhealthy", lateSeconds: 62 })).toEqual(["release.portfolio-ledger.startPeriod: 120"]);
  });

  it("takes levelname and severity for a level, as the log collector is told to", () => {
    expect(shortOf({ log: ['{"levelname":"INFO"}', '{"severity":"info"}'] })).toEqual([]);
  });

  it("does not hold a store against an image that may log in later", () => {
    const rows = judge({ ...good, stores: [{ store: "redis", loggedIn: false }] }, judged);
    expect(rows.find(({ check }) => check === "redis")?.outcome).toBe("unknown");
  });

  it("says one thing of an image that the stack refuses", () => {
    const rows = judge({ ...good, refusal: "x: does not run /bin/sh" }, judged);
    expect(rows).toMatchObject([{ check: "starts", outcome: "short", detail: "x: does not run /bin/sh" }]);
  });

  it("asks a batch job for no page", () => {
    const rows = judge(good, {
      service: "backtest-engine",
      application: "conventions",
      port: null,
      writable: ["/tmp", "/reports"],
    });
    expect(rows.map(({ check }) => check)).not.toContain("health");
  });

  it("is a table with each fix below its row", () => {
    expect(table(shortOf({ listens: false }))).toMatch(/^listens {3}short {4}no other.*\n {10}fix: {5}listen on/);
  });
});

describe("what a service stands on during a check", () => {
  it("comes in the order in which it starts, each once, with what that stands on", () => {
    expect(companions("portfolio-ledger")).toEqual(["postgres", "nats", "nats-streams"]);
    expect(companions("execution-ib")).toEqual(["redis", "nats", "nats-streams", "risk-manager", "ib-gateway"]);
    expect(companions("risk-manager")).toEqual(["redis", "nats", "nats-streams"]);
    expect(companions("llm-agents")).toEqual(["nats", "nats-streams", "feature-pipeline"]);
    expect(companions("backtest-engine")).toEqual([]);
  });
});

describe("the subjects that NATS refused a service", () => {
  const by = (user: string, what: string) =>
    `[1] 2026/11/29 [ERR] 10.0.0.3:48208 - cid:5 - "v2:python3" - ${user} - ${what}`;

  it("are taken from its log, each once, in the words of older and newer servers", () => {
    const log = [
      by('"$G/user:gateway-api"', 'Subscription Violation - Subject "_INBOX.jtLka4Q6.*", SID 1'),
      by('"$G/user:gateway-api"', 'Subscription Violation - Subject "_INBOX.other.*", SID 1'),
      by('"$G/user:gateway-api-2"', 'Publish Violation - Subject "$JS.API.STREAM.CREATE.INTENTS"'),
      by('"x"', 'Publish Violation - User "gateway-api", Subject "a.b"'),
      by('"$G/user:reporter"', 'Publish Violation - Subject "c.d"'),
      "[1] 2026/11/29 [INF] Server is ready",
    ];
    expect(refusedSubjects("gateway-api", log)).toEqual([
      "subscribe to _INBOX.>",
      "publish to $JS.API.STREAM.CREATE.INTENTS",
      "publish to a.b",
    ]);
  });
});

describe("the places that a program writes to", () => {
  it("are the deepest of each, without what is mounted, Docker's own and bytecode", () => {
    const diff = [
      ...["C /app", "A /app/data", "A /app/data/users.json", "A /app/__pycache__", "A /app/__pycache__/x.pyc"],
      ...[
        "C /etc",
        "A /etc/autollm",
        "C /tmp",
        "A /tmp/x",
        "C /run",
        "A /run/secrets",
        "A /app/reports",
        "D /app/old",
        "C /usr",
        "C /usr/sbin",
        "A /usr/sbin/docker-init",
      ],
    ].join("\n");
    expect(refusedPaths(diff, ["/tmp", "/app/reports", "/etc/autollm"])).toEqual(["/app/data/users.json"]);
  });
});

describe("the metrics that the rules read", () => {
  it("are those of its row in the alerts' own table", () => {
    const names = neededOf("portfolio-ledger").map(({ name }) => name);
    expect(names.sort()).toEqual([
      "dependency_up",
      "http_request_duration_seconds",
      "http_requests_total",
      "nats_messages_total",
      "process_resident_memory_bytes",
    ]);
    expect(neededOf("execution-ib").map(({ name }) => name)).toContain("orders_submitted_total");
    expect(neededOf("backtest-engine")).toEqual([]);
  });

  it("are all shown by the stand-ins, which show every metric of a service that the platform knows", () => {
    const source = readFileSync(join(root, "services", "reference", "src", "metrics.ts"), "utf8");
    const shown = [...source.matchAll(/(?:counter|gauge|histogram)\("([a-z0-9_]+)"/g)].map(([, name = ""]) => name);
    expect(shown.length).toBeGreaterThan(20);
    const needed = (Object.keys(services) as (keyof typeof services)[]).flatMap((service) => neededOf(service));
    const unknown = needed.filter(({ name }) => !name.startsWith("process_") && !shown.includes(name));
    expect(unknown).toEqual([]);
  });

  it("may have the application's own names, if its table maps them", () => {
    const text = [
      "# TYPE gateway_http_requests_total counter",
      'gateway_http_requests_total{endpoint="/api/positions",method="GET",status="200"} 1.0',
      "# TYPE gateway_request_latency_seconds histogram",
      'gateway_request_latency_seconds_bucket{handler="/api/positions",le="0.5"} 1.0',
    ].join("\n");
    const missing = (application: "autollm" | "conventions") =>
      missingMetrics("gateway-api", text, applications[application]).filter((each) => each.startsWith("http_"));
    expect(missing("autollm")).toEqual([]);
    expect(missing("conventions")).toEqual(["http_requests_total", "http_request_duration_seconds"]);
  });

  it("are found by their declaration, as histograms, and by their labels", () => {
    const text = [
      "# TYPE http_requests_total counter",
      'http_requests_total{handler="/health",status="2xx"} 1.0',
      "# TYPE http_request_duration_seconds histogram",
      'http_request_duration_seconds_bucket{le="1",path="/a,b=\\"c\\""} 1.0',
      "# TYPE llm_errors_total counter",
      "process_start_time_seconds 1.7e+09",
    ].join("\n");
    expect([...shownMetrics(text).keys()]).toEqual([
      "http_requests_total",
      "http_request_duration_seconds",
      "llm_errors_total",
      "process_start_time_seconds",
    ]);
    const missing = missingMetrics("llm-agents", text, applications.conventions);
    expect(missing).toContain("http_requests_total without the label path");
    expect(missing).toContain("process_resident_memory_bytes");
    expect(missing.join()).not.toMatch(/llm_errors_total|http_request_duration_seconds/);
  });
});

describe("values for the time of a check", () => {
  const key = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

  it("have a certificate that the authority has signed, for its names", () => {
    const [authorityKey, serverKey] = [key(), key()];
    const authority = new X509Certificate(certificate({ commonName: "authority", key: authorityKey }));
    const issuer = { commonName: "authority", key: authorityKey };
    const names = ["nats", "127.0.0.1"];
    const server = new X509Certificate(certificate({ commonName: "nats", key: serverKey, issuer, names }));
    expect(authority.ca).toBe(true);
    expect(server.ca).toBe(false);
    expect(server.checkIssued(authority)).toBe(true);
    expect(server.verify(authority.publicKey)).toBe(true);
    expect(server.verify(key() && new X509Certificate(certificate({ commonName: "x", key: key() })).publicKey)).toBe(
      false,
    );
    expect([server.checkHost("nats"), server.checkHost("redis"), server.checkIP("127.0.0.1")]).toEqual([
      "nats",
      undefined,
      "127.0.0.1",
    ]);
    expect(server.checkPrivateKey(serverKey)).toBe(true);
  });

  it("follow the inputs of the providers' resources", () => {
    const made = new Made();
    const password = made.outputs("random:index/randomPassword:RandomPassword", { length: 32 })?.result;
    expect(password).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(made.outputs("random:index/randomBytes:RandomBytes", { length: 16 })?.hex).toMatch(/^[0-9a-f]{32}$/);
    const pem = made.outputs("tls:index/privateKey:PrivateKey", { algorithm: "ED25519" })?.privateKeyPem;
    expect(createPrivateKey(String(pem)).asymmetricKeyType).toBe("ed25519");
    expect(() =>
      made.outputs("tls:index/locallySignedCert:LocallySignedCert", { caCertPem: "x", certRequestPem: "{}" }),
    ).toThrow(/authority/);
    expect(made.outputs("docker:index/network:Network", {})).toBeUndefined();
  });
});

describe("Docker's command line of a check's container", () => {
  const inputs: ContainerInputs = {
    image: "sha256:x",
    entrypoints: ["/bin/sh"],
    command: ["/run/autollm/start.sh", "python"],
    user: "70109:70109",
    readOnly: true,
    init: true,
    memory: 256,
    memorySwap: 256,
    cpuShares: 512,
    stopTimeout: 15,
    capabilities: { drops: ["ALL"], adds: [] },
    securityOpts: ["no-new-privileges:true"],
    networksAdvanced: [
      { name: "a", aliases: ["ledger"] },
      { name: "b", aliases: ["ledger", "ledger.b"] },
    ],
    mounts: [
      { type: "bind", source: "/files/x", target: "/run/secrets", readOnly: true },
      { type: "volume", source: "v", target: "/data" },
    ],
    tmpfs: { "/tmp": "rw,size=1" },
    healthcheck: {
      tests: ["CMD", "/bin/sh", "/run/it's", "1"],
      interval: "5s",
      timeout: "5s",
      retries: 3,
      startPeriod: "30s",
    },
  };
  const args = { name: "c", network: "n", pids: 64 };
  const line = dockerArgs(inputs, args).join(" ");

  it("is as hardened as the stack's", () => {
    for (const part of ["--read-only", "--cap-drop ALL", "--security-opt no-new-privileges:true", "--user 70109:70109"])
      expect(line).toContain(part);
    for (const part of ["--memory 256m", "--memory-swap 256m", "--pids-limit 64", "--init", "--stop-timeout 15"])
      expect(line).toContain(part);
    expect(line).toContain("type=bind,source=/files/x,target=/run/secrets,readonly");
    expect(line).toMatch(/--entrypoint \/bin\/sh sha256:x \/run\/autollm\/start.sh python$/);
  });

  it("has each name once, and volumes that are its user's", () => {
    expect(line).toContain("--network-alias ledger --network-alias ledger.b");
    expect(line).toMatch(/--tmpfs \/data:rw,nosuid,nodev,size=\d+,uid=70109,gid=70109,mode=0750/);
  });

  it("quotes the health check for a shell", () => {
    expect(dockerArgs(inputs, args)).toContain(`'/bin/sh' '/run/it'\\''s' '1'`);
  });

  it("lets go of the read-only root and the user alone when it is free", () => {
    const free = dockerArgs(inputs, { ...args, free: true }).join(" ");
    expect(free).not.toContain("--read-only");
    expect(free).toContain("--user 0:0");
    expect(free).toContain("--cap-drop ALL");
  });
});

describe("the secrets of a checked container", () => {
  const value = randomText(24);
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const stdin = [
    `run-secrets/env/NATS_PASSWORD ${base64(value)}`,
    `run-secrets/env/SMTP_PORT ${base64("25")}`,
    `run-secrets/files/risk_public_key ${base64(randomText(44))}`,
    `etc-autollm/risk.yaml ${base64("limits: many")}`,
  ].join("\n");
  const plan: Plan = {
    containers: new Map(),
    images: new Map(),
    scripts: new Map([["portfolio-ledger-files", { create: "", stdin }]]),
  };

  it("are what it mounts as secrets, without public halves and trifles", () => {
    expect([...secretsOf(plan, "portfolio-ledger")]).toEqual([["NATS_PASSWORD", value]]);
  });

  it("are hidden from a reader of its log", () => {
    expect(hidden(secretsOf(plan, "portfolio-ledger"), [`to nats://x:${value}@nats`])).toEqual([
      "to nats://x:***@nats",
    ]);
  });
});
