import { type Consumer, type ConsumerMessages, type JetStreamClient, type JsMsg, jetstream } from "@nats-io/jetstream";
import { connect, type MsgHdrs, type NatsConnection, headers as natsHeaders } from "@nats-io/transport-node";
import { SpanKind } from "@opentelemetry/api";
import { inboxPrefix } from "../../../components/platform/inbox.ts";
import { consumerName, isDurable, type StreamName, streamOf } from "../../../components/platform/streams.ts";
import type { Config } from "./config.ts";
import { type Log, reason } from "./log.ts";
import { MessageError, type Payload, parsePayload } from "./messages.ts";
import type { CommonMetrics } from "./metrics.ts";
import { retryForever, sleep, within } from "./timing.ts";
import { contextOf, inSpan, traceHeaders } from "./tracing.ts";

/** How long NATS may take to confirm that it stored a message. */
const STORE_LIMIT_MS = 3000;
/** A failed message comes again after this. */
const RETRY_MS = 1000;
const STOP_LIMIT_MS = 5000;
/** Few enough that the last one's turn comes well before the server would deliver it again. */
const PREFETCH = 5;

type TextHandler = (text: string) => Promise<void>;
export type MessageHandler = (payload: Payload, subject: string) => Promise<void>;

/** NATS: durable subjects go through the stream and are confirmed; the others are sent once. */
export class Bus {
  readonly #config: Config;
  readonly #log: Log;
  readonly #metrics: CommonMetrics;
  readonly #stopped = new AbortController();
  readonly #consuming: Promise<unknown>[] = [];
  readonly #reading = new Set<ConsumerMessages>();
  readonly #connected: Promise<NatsConnection | undefined>;
  #connection: NatsConnection | undefined;

  constructor(config: Config, log: Log, metrics: CommonMetrics) {
    this.#config = config;
    this.#log = log;
    this.#metrics = metrics;
    // Counters that begin at 0 show their first event as an increase, and tell a quiet subject from one that nobody counts.
    for (const subject of (config.spec?.publishes ?? []).filter(isDurable)) this.#count(subject, "published", 0);
    for (const subject of (config.spec?.subscribes ?? []).filter(isDurable)) this.#count(subject, "received", 0);
    this.#connected = retryForever(
      this.#stopped.signal,
      () => this.#connect(),
      (error, attempt) => attempt === 1 && log.warning("nats is away; trying again", { error: reason(error) }),
    );
  }

  async #connect(): Promise<NatsConnection> {
    const { server, user, password, tls, ca } = this.#config.nats;
    const connection = await connect({
      servers: server,
      name: this.#config.role,
      inboxPrefix: inboxPrefix(this.#config.role),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 500,
      // A rotation may refuse the old password for a moment; giving up would need a restart.
      ignoreAuthErrorAbort: true,
      pingInterval: 10_000,
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { pass: password }),
      ...(tls ? { tls: ca === undefined ? {} : { ca } } : {}),
    });
    this.#log.info("nats connected", { server, tls });
    this.#connection = connection;
    void this.#watch(connection);
    return connection;
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "disconnect" || status.type === "reconnect") this.#log.warning(`nats: ${status.type}`);
      if (status.type === "error") this.#log.error("nats refused", { error: reason(status.error) });
    }
  }

  /** The connection, once there is one. */
  async connection(): Promise<NatsConnection> {
    const connection = await this.#connected;
    if (connection === undefined) throw new Error("stopping");
    return connection;
  }

  #client(): JetStreamClient {
    if (this.#connection === undefined) throw new Error("nats is away");
    return jetstream(this.#connection);
  }

  /**
   * Publishes. On a durable subject it returns when NATS has stored the message, and throws otherwise.
   * @param id makes a repeated publish count once
   */
  async publish(subject: string, payload: Payload, id?: string): Promise<void> {
    const data = JSON.stringify(payload);
    if (!isDurable(subject)) {
      this.#connection?.publish(subject, data, { headers: carrier() });
      this.#count(subject, this.#connection === undefined ? "dropped" : "published");
      return;
    }
    const attributes = { "messaging.system": "nats", "messaging.destination.name": subject };
    await inSpan(`publish ${subject}`, { kind: SpanKind.PRODUCER, attributes }, async () => {
      try {
        const options = { headers: carrier(), timeout: STORE_LIMIT_MS, ...(id === undefined ? {} : { msgID: id }) };
        await within(STORE_LIMIT_MS + 500, `nats (${subject})`, this.#client().publish(subject, data, options));
        this.#count(subject, "published");
      } catch (error) {
        this.#count(subject, "failed");
        throw error;
      }
    });
  }

  /**
   * Handles each message of a subject. A durable one is acknowledged after the work, and comes again when the work failed.
   * @param parse how its text is read
   */
  subscribe(subject: string, handler: MessageHandler, parse = parsePayload): void {
    const stream = streamOf(subject);
    if (stream !== undefined)
      this.#consuming.push(this.#consume(stream, subject, (text) => handler(parse(text), subject)));
    else void this.#listen(subject, handler);
  }

  async #listen(pattern: string, handler: MessageHandler): Promise<void> {
    const connection = await this.#connected;
    if (connection === undefined) return;
    // Replicas of a service share the work.
    const subscription = connection.subscribe(pattern, { queue: this.#config.role });
    for await (const message of subscription) {
      try {
        await handler(parsePayload(message.string()), message.subject);
        this.#count(message.subject, "received");
      } catch (error) {
        this.#count(message.subject, "failed");
        this.#log.warning("message failed", { subject: message.subject, error: reason(error) });
      }
    }
  }

  async #consume(stream: StreamName, subject: string, handler: TextHandler): Promise<void> {
    const name = consumerName(this.#config.role, subject);
    await this.#connected;
    while (!this.#stopped.signal.aborted) {
      const consumer = await retryForever(
        this.#stopped.signal,
        () => within(STORE_LIMIT_MS, "the stream", this.#client().consumers.get(stream, name)),
        (error, attempt) =>
          attempt === 1 && this.#log.warning("waiting for the stream", { consumer: name, error: reason(error) }),
      );
      if (consumer === undefined) return;
      try {
        await this.#read(consumer, subject, handler);
      } catch (error) {
        this.#log.warning("reading again", { consumer: name, error: reason(error) });
      }
      await sleep(RETRY_MS, this.#stopped.signal);
    }
  }

  async #read(consumer: Consumer, subject: string, handler: TextHandler): Promise<void> {
    const messages = await consumer.consume({ max_messages: PREFETCH, abort_on_missing_resource: true });
    this.#reading.add(messages);
    this.#log.info("reading from the stream", { subject });
    try {
      for await (const message of messages) {
        // What was fetched but not begun when the stop came is delivered again, to the next reader.
        if (this.#stopped.signal.aborted) message.nak();
        else await this.#handle(message, handler);
      }
    } finally {
      this.#reading.delete(messages);
    }
  }

  async #handle(message: JsMsg, handler: TextHandler): Promise<void> {
    const { subject } = message;
    const attributes = { "messaging.system": "nats", "messaging.destination.name": subject };
    const parent = contextOf((name) => message.headers?.get(name));
    await inSpan(`process ${subject}`, { kind: SpanKind.CONSUMER, parent, attributes }, async () => {
      try {
        await handler(message.string());
        message.ack();
        this.#count(subject, "received");
      } catch (error) {
        const hopeless = error instanceof MessageError;
        this.#count(subject, hopeless ? "invalid" : "retried");
        this.#log.warning(hopeless ? "message dropped" : "message comes again", { subject, error: reason(error) });
        if (hopeless) message.term(error.message);
        else message.nak(RETRY_MS);
      }
    });
  }

  probe(): Promise<unknown> {
    if (this.#connection === undefined) throw new Error("not connected");
    return this.#connection.flush();
  }

  /** Reads no more, finishes what is in work, sends what is buffered, and closes. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    for (const messages of this.#reading) void messages.close();
    const drained = this.#connection === undefined ? Promise.resolve() : this.#finish(this.#connection);
    await within(STOP_LIMIT_MS, "nats", drained).catch((error) =>
      this.#log.warning("nats not drained", { error: reason(error) }),
    );
  }

  async #finish(connection: NatsConnection): Promise<void> {
    // Acknowledgements of the last durable messages leave with the drain, which also ends the other subscriptions.
    await Promise.race([Promise.all(this.#consuming), sleep(STOP_LIMIT_MS - 1000)]);
    await connection.drain();
  }

  #count(subject: string, status: string, by = 1): void {
    this.#metrics.messages.inc({ subject, status }, by);
  }
}

function carrier(): MsgHdrs {
  const headers = natsHeaders();
  for (const [name, value] of Object.entries(traceHeaders())) headers.set(name, value);
  return headers;
}
