import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type ConnectionOptions, connect, type NatsConnection } from "@nats-io/transport-node";
import { listenAt } from "./listen.ts";
import { requireSecret } from "./settings.ts";
import { JetStreamApi, type KeptStream } from "./streamsApi.ts";
import { type Kept, keepStreams } from "./streamsKeep.ts";

/** Where it serves /health and /metrics; components/data/natsStreams.ts says the same. */
const PORT = 9191;
/** The table; components/data/natsStreams.ts writes it. */
const TABLE = "/etc/autollm/streams.json";
/** Its NATS user; components/platform/natsRights.ts says the same. */
const USER = "streams";
const EVERY_MS = 10_000;
/** Without a look that ended for so long, nobody knows whether the streams are there. */
const STALE_MS = 45_000;

/** What the last look found, and when it ended, in milliseconds since 1970. */
interface Seen {
  at: number;
  kept: ReadonlyMap<string, Kept>;
  readonly repairs: Map<string, number>;
}

/** The page for Prometheus. */
export function streamsPage({ at, kept, repairs }: Seen): string {
  const metric = (name: string, type: string, help: string, samples: readonly string[]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map((sample) => `${name}${sample}`),
  ];
  const isKept = ({ complete, faults }: Kept) => (complete && faults.length === 0 ? 1 : 0);
  const lines = [
    ...metric(
      "nats_stream_kept",
      "gauge",
      "Whether the stream and its consumers are as the platform keeps them.",
      [...kept].map(([stream, each]) => `{stream="${stream}"} ${isKept(each)}`),
    ),
    ...metric(
      "nats_stream_repairs_total",
      "counter",
      "What was made or changed of the stream and its consumers, without the first look.",
      [...repairs].map(([stream, count]) => `{stream="${stream}"} ${count}`),
    ),
    ...metric("nats_streams_checked_timestamp_seconds", "gauge", "When the streams were last looked at.", [
      ` ${at / 1000}`,
    ]),
  ];
  return `${lines.join("\n")}\n`;
}

const log = (level: string, message: string, more: object = {}) =>
  process.stdout.write(
    `${JSON.stringify({ time: new Date().toISOString(), level, service: "nats-streams", message, ...more })}\n`,
  );

/** Keeps a table of streams in a NATS server until it is told to end, and tells over HTTP how it goes. */
export function serveStreams(table: readonly KeptStream[], connected: Promise<NatsConnection>, port = PORT): Server {
  const seen: Seen = { at: 0, kept: new Map(), repairs: new Map(table.map(({ name }) => [name, 0])) };
  const told = new Set<string>();
  const look = async () => {
    const isFirst = seen.at === 0;
    seen.kept = await keepStreams(new JetStreamApi(await connected), table);
    seen.at = Date.now();
    for (const [stream, { repairs, faults }] of seen.kept) {
      // What the first look makes was nobody's doing.
      if (!isFirst) seen.repairs.set(stream, (seen.repairs.get(stream) ?? 0) + repairs.length);
      for (const repair of repairs) log(isFirst ? "info" : "warning", repair, { stream });
      for (const fault of faults.filter((each) => !told.has(each))) log("error", fault, { stream });
    }
    told.clear();
    for (const { faults } of seen.kept.values()) for (const fault of faults) told.add(fault);
  };
  let timer: NodeJS.Timeout | undefined;
  const loop = async () => {
    await look().catch((error: unknown) =>
      log("warning", "the streams could not be looked at", { error: error instanceof Error ? error.message : "" }),
    );
    timer = setTimeout(loop, EVERY_MS);
  };
  void loop();
  const isHealthy = () => Date.now() - seen.at < STALE_MS && [...seen.kept.values()].every(({ complete }) => complete);
  const server = createServer((request, response) => {
    if (request.url === "/metrics")
      response.setHeader("content-type", "text/plain; version=0.0.4").end(streamsPage(seen));
    else if (request.url !== "/health") response.writeHead(404).end();
    else if (isHealthy()) response.end("ok\n");
    else response.writeHead(503).end("a stream or a consumer is missing, or NATS does not answer\n");
  });
  void listenAt(server, port);
  server.once("close", () => clearTimeout(timer));
  return server;
}

/** The keeper as its container runs it. */
export function runStreams(): void {
  const table = JSON.parse(readFileSync(TABLE, "utf8")) as readonly KeptStream[];
  const connected = connect({
    servers: "nats:4222",
    name: "nats-streams",
    user: USER,
    pass: requireSecret("nats-streams"),
    inboxPrefix: `_INBOX_${USER}`,
    tls: { ca: requireSecret("nats-ca") },
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    // A rotation may refuse the password for a moment.
    ignoreAuthErrorAbort: true,
  } satisfies ConnectionOptions);
  const server = serveStreams(table, connected);
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => {
      server.close();
      server.closeIdleConnections();
      void connected.then((nats) => nats.close());
    });
}
