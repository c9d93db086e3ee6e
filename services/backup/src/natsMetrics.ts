import { createServer, type Server } from "node:http";
import { listenAt } from "./listen.ts";

/** Where it serves /health and /metrics. */
const PORT = 7777;
const PATIENCE_MS = 4000;

/** What NATS's HTTP monitoring says, as far as it is told on (docs.nats.io, Monitoring). */
export interface Varz {
  readonly connections: number;
  readonly slow_consumers: number;
  readonly in_msgs: number;
  readonly out_msgs: number;
  readonly in_bytes: number;
  readonly out_bytes: number;
  readonly mem: number;
  readonly subscriptions: number;
}

interface Consumer {
  readonly name: string;
  readonly num_pending: number;
  readonly num_ack_pending: number;
  readonly num_redelivered: number;
  readonly delivered: { readonly consumer_seq: number };
}

interface Stream {
  readonly name: string;
  readonly state: {
    readonly messages: number;
    readonly bytes: number;
    readonly last_seq: number;
    /** Absent for none. */
    readonly num_deleted?: number;
  };
  readonly consumer_detail?: readonly Consumer[];
}

export interface Jsz {
  readonly storage: number;
  readonly config: { readonly max_storage: number };
  readonly account_details?: readonly { readonly stream_detail?: readonly Stream[] }[];
}

type Labels = Readonly<Record<string, string>>;
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: readonly (readonly [Labels, number])[];
}

const one = (name: string, type: Metric["type"], help: string, value: number): Metric => ({
  name,
  type,
  help,
  samples: [[{}, value]],
});

function serverMetrics(varz: Varz, jsz: Jsz): Metric[] {
  return [
    one("nats_connections", "gauge", "Clients that are connected.", varz.connections),
    one("nats_subscriptions", "gauge", "Subscriptions of all clients.", varz.subscriptions),
    one("nats_slow_consumers_total", "counter", "Clients that were cut off for not reading.", varz.slow_consumers),
    one("nats_received_messages_total", "counter", "Messages from clients.", varz.in_msgs),
    one("nats_sent_messages_total", "counter", "Messages to clients.", varz.out_msgs),
    one("nats_received_bytes_total", "counter", "Bytes from clients.", varz.in_bytes),
    one("nats_sent_bytes_total", "counter", "Bytes to clients.", varz.out_bytes),
    one("nats_memory_bytes", "gauge", "Memory of the server.", varz.mem),
    one("nats_jetstream_storage_bytes", "gauge", "What all streams take of the disk.", jsz.storage),
    one("nats_jetstream_storage_limit_bytes", "gauge", "What all streams may take.", jsz.config.max_storage),
  ];
}

function streamMetrics(jsz: Jsz): Metric[] {
  const streams = (jsz.account_details ?? []).flatMap(({ stream_detail: detail = [] }) => detail);
  const ofStreams = (name: string, help: string, value: (stream: Stream) => number): Metric => ({
    name,
    type: "gauge",
    help,
    samples: streams.map((stream) => [{ stream: stream.name }, value(stream)] as const),
  });
  const ofConsumers = (name: string, help: string, value: (consumer: Consumer) => number): Metric => ({
    name,
    type: "gauge",
    help,
    samples: streams.flatMap(({ name: stream, consumer_detail: detail = [] }) =>
      detail.map((consumer) => [{ stream, consumer: consumer.name }, value(consumer)] as const),
    ),
  });
  return [
    ofStreams("nats_stream_messages", "Messages that the stream keeps.", ({ state }) => state.messages),
    ofStreams("nats_stream_bytes", "Bytes that the stream keeps.", ({ state }) => state.bytes),
    ofStreams("nats_stream_last_sequence", "The number of the stream's newest message.", ({ state }) => state.last_seq),
    ofStreams(
      "nats_stream_gaps",
      "Messages that are missing between the oldest and the newest one.",
      ({ state }) => state.num_deleted ?? 0,
    ),
    ofConsumers("nats_consumer_pending", "Messages not yet delivered.", (each) => each.num_pending),
    ofConsumers(
      "nats_consumer_unacknowledged",
      "Messages delivered and not confirmed.",
      (each) => each.num_ack_pending,
    ),
    ofConsumers(
      "nats_consumer_delivered",
      "Messages delivered since it was made: 0 where a program subscribes by itself.",
      (each) => each.delivered.consumer_seq,
    ),
    ofConsumers("nats_consumer_redelivered", "Messages that were delivered again.", (each) => each.num_redelivered),
  ];
}

const labelText = (labels: Labels) => {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
};

/** The page for Prometheus; without an answer of NATS's it says that alone. */
export function natsPage(answer: { readonly varz: Varz; readonly jsz: Jsz } | undefined): string {
  const metrics = [
    one("nats_up", "gauge", "Whether NATS answered its monitoring.", answer === undefined ? 0 : 1),
    ...(answer === undefined ? [] : [...serverMetrics(answer.varz, answer.jsz), ...streamMetrics(answer.jsz)]),
  ];
  const lines = metrics.flatMap(({ name, type, help, samples }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}`),
  ]);
  return `${lines.join("\n")}\n`;
}

async function ask<T>(monitoring: string, path: string): Promise<T> {
  const response = await fetch(`${monitoring}${path}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
  return (await response.json()) as T;
}

/** Turns NATS's monitoring into Prometheus's metrics, each time that it is asked. */
export function serveNatsMetrics(monitoring = "http://nats:8222", port = PORT): Server {
  const server = createServer(async (request, response) => {
    if (request.url === "/health") response.end("ok\n");
    else if (request.url !== "/metrics") response.writeHead(404).end();
    else {
      const answers = Promise.all([
        ask<Varz>(monitoring, "/varz"),
        ask<Jsz>(monitoring, "/jsz?accounts=true&streams=true&consumers=true"),
      ]);
      const page = natsPage(await answers.then(([varz, jsz]) => ({ varz, jsz })).catch(() => undefined));
      response.setHeader("content-type", "text/plain; version=0.0.4").end(page);
    }
  });
  void listenAt(server, port);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void server.close());
  return server;
}
