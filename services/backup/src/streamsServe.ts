import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type ConnectionOptions, connect, type NatsConnection } from "@nats-io/transport-node";
import { listenAt } from "./listen.ts";
import { logger } from "./log.ts";
import { requireSecret } from "./settings.ts";
import { JetStreamApi, type KeptStream } from "./streamsApi.ts";
import { type Kept, keepStreams } from "./streamsKeep.ts";
import { discardOrders, type Waiting, waitingOrders } from "./streamsOrders.ts";
import { within } from "./within.ts";

/** Where it serves /health and /metrics; components/data/natsStreams.ts says the same. */
const PORT = 9191;
/** The table; components/data/natsStreams.ts writes it. */
const TABLE = "/etc/autollm/streams.json";
/** Its NATS user; components/platform/natsRights.ts says the same. */
const USER = "streams";
const EVERY_MS = 10_000;
/** Without a look that ended for so long, nobody knows whether the streams are there. */
const STALE_MS = 45_000;
/** How long a question about orders waits for NATS. */
const NATS_MS = 10_000;

/** What the last look found, and when it ended, in milliseconds since 1970. */
interface Seen {
  at: number;
  kept: ReadonlyMap<string, Kept>;
  readonly repairs: Map<string, number>;
}

/** What the kill switch asks from inside the container: which approved orders wait, and that they are discarded. */
const ORDERS = { "GET /orders": waitingOrders, "POST /orders/discard": discardOrders } as const;

const ordersRequest = ({ method, url, socket }: IncomingMessage) =>
  // Prometheus reaches the same server, at another address.
  socket.localAddress === "127.0.0.1" ? ORDERS[`${method} ${url}` as keyof typeof ORDERS] : undefined;

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

const log = logger("nats-streams");

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
  let busy: Promise<unknown> = Promise.resolve();
  /** One after the other: a look would make a consumer that is being replaced, and call it a repair. */
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const done = busy.then(work);
    busy = done.catch(() => undefined);
    return done;
  };
  let timer: NodeJS.Timeout | undefined;
  const loop = async () => {
    await alone(look).catch((error: unknown) =>
      log("warning", "the streams could not be looked at", { error: error instanceof Error ? error.message : "" }),
    );
    timer = setTimeout(loop, EVERY_MS);
  };
  void loop();
  const isHealthy = () => Date.now() - seen.at < STALE_MS && [...seen.kept.values()].every(({ complete }) => complete);
  const answerOrders = async (ask: (typeof ORDERS)[keyof typeof ORDERS]): Promise<readonly Waiting[]> => {
    const nats = await within(NATS_MS, "NATS", connected);
    const waiting = await within(
      NATS_MS,
      "JetStream",
      alone(() => ask(new JetStreamApi(nats), table)),
    );
    if (ask === discardOrders)
      for (const { orders, ...each } of waiting) {
        log("warning", "approved orders are discarded at the end of the kill switch", each);
        for (const order of orders) log("warning", "approved order discarded", { consumer: each.consumer, ...order });
      }
    return waiting;
  };
  const server = createServer((request, response) => {
    const orders = ordersRequest(request);
    if (orders !== undefined)
      void answerOrders(orders).then(
        (waiting) => response.end(`${JSON.stringify(waiting)}\n`),
        (error: unknown) => response.writeHead(503).end(`${error instanceof Error ? error.message : error}\n`),
      );
    else if (request.url === "/metrics")
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
