import type { NatsConnection } from "@nats-io/transport-node";

/** What the platform keeps in NATS, as the workload is told it in a file: components/platform/streams.ts makes it. */
export interface KeptStream {
  readonly name: string;
  readonly purpose: string;
  readonly subjects: readonly string[];
  /** Most that it may take of the disk, MiB. */
  readonly size: number;
  readonly consumers: readonly { readonly name: string; readonly subject: string }[];
}

/** A stream or consumer's configuration in JetStream's own form; what is not named here is handed back as it came. */
export type Config = Readonly<Record<string, unknown>>;

interface Source {
  readonly name: string;
  readonly opt_start_seq?: number;
}

export interface StreamState {
  readonly config: Config & {
    readonly subjects?: readonly string[];
    readonly description?: string;
    readonly sources?: readonly Source[];
  };
  readonly state: {
    readonly messages: number;
    readonly bytes: number;
    readonly first_seq: number;
    readonly first_ts: string;
    readonly last_seq: number;
  };
}

export interface ConsumerState {
  readonly config: Config;
  readonly ack_floor: { readonly stream_seq: number };
  /** What was delivered last: by its number among this consumer's deliveries, 0 where there was none, and in the stream. */
  readonly delivered: { readonly consumer_seq: number; readonly stream_seq: number };
  /** Not delivered yet. */
  readonly num_pending: number;
  /** Delivered, and not confirmed yet. */
  readonly num_ack_pending: number;
}

/** A message of a stream. */
export interface StoredMessage {
  readonly seq: number;
  /** When it was stored, ISO 8601. */
  readonly at: string;
  readonly text: string;
  /** Where it stood in the stream that it was taken over from; undefined for one that was published here. */
  readonly sourceSeq: number | undefined;
}

/** A message as JetStream answers it: headers and content in base64. */
interface RawMessage {
  readonly seq: number;
  readonly time: string;
  readonly hdrs?: string;
  readonly data?: string;
}

const API = "$JS.API";
const TIMEOUT_MS = 5000;
/** JetStream's codes for what is not there. */
const MISSING: readonly number[] = [10059, 10014, 10037];

/** JetStream's refusal, in its own words. */
export class JetStreamRefusal extends Error {
  readonly code: number;
  constructor(subject: string, { description, err_code }: { description: string; err_code: number }) {
    super(`NATS refuses ${subject}: ${description}`);
    this.code = err_code;
  }
}

/** JetStream's API, as far as the stream keeper may use it. */
export class JetStreamApi {
  readonly #nats: NatsConnection;
  constructor(nats: NatsConnection) {
    this.#nats = nats;
  }

  async #ask<T>(subject: string, body: object = {}): Promise<T> {
    const answer = await this.#nats.request(`${API}.${subject}`, JSON.stringify(body), { timeout: TIMEOUT_MS });
    const value = answer.json<T & { error?: { description: string; err_code: number } }>();
    if (value.error !== undefined) throw new JetStreamRefusal(subject, value.error);
    return value;
  }

  async #find<T>(subject: string, body?: object): Promise<T | undefined> {
    return await this.#ask<T>(subject, body).catch((error: unknown) => {
      if (error instanceof JetStreamRefusal && MISSING.includes(error.code)) return undefined;
      throw error;
    });
  }

  stream(name: string): Promise<StreamState | undefined> {
    return this.#find(`STREAM.INFO.${name}`);
  }

  createStream(name: string, config: Config): Promise<StreamState> {
    return this.#ask(`STREAM.CREATE.${name}`, { ...config, name });
  }

  updateStream(name: string, config: Config): Promise<StreamState> {
    return this.#ask(`STREAM.UPDATE.${name}`, { ...config, name });
  }

  deleteStream(name: string): Promise<unknown> {
    return this.#find(`STREAM.DELETE.${name}`);
  }

  async consumerNames(stream: string): Promise<readonly string[]> {
    const names: string[] = [];
    for (;;) {
      const page = await this.#ask<{ total: number; consumers: readonly string[] | null }>(`CONSUMER.NAMES.${stream}`, {
        offset: names.length,
      });
      names.push(...(page.consumers ?? []));
      if (names.length >= page.total || (page.consumers ?? []).length === 0) return names;
    }
  }

  consumer(stream: string, name: string): Promise<ConsumerState | undefined> {
    return this.#find(`CONSUMER.INFO.${stream}.${name}`);
  }

  /** @param action `create` fails where there is another one of this name, `update` where there is none. */
  setConsumer(stream: string, name: string, subject: string, config: Config, action: "create" | "update") {
    const body = {
      stream_name: stream,
      config: { ...config, name, durable_name: name, filter_subject: subject },
      action,
    };
    return this.#ask<ConsumerState>(`CONSUMER.CREATE.${stream}.${name}.${subject}`, body);
  }

  /** Delivers nothing more by a consumer for that time; what is delivered can still be confirmed. */
  pauseConsumer(stream: string, name: string, ms: number): Promise<unknown> {
    const until = new Date(Date.now() + ms).toISOString();
    return this.#ask(`CONSUMER.PAUSE.${stream}.${name}`, { pause_until: until });
  }

  deleteConsumer(stream: string, name: string): Promise<unknown> {
    return this.#find(`CONSUMER.DELETE.${stream}.${name}`);
  }

  /** A subject's last message, or its first one from a place on. */
  async message(stream: string, subject: string, from?: number): Promise<StoredMessage | undefined> {
    const wanted = from === undefined ? { last_by_subj: subject } : { seq: from, next_by_subj: subject };
    const found = await this.#find<{ message: RawMessage }>(`STREAM.MSG.GET.${stream}`, wanted);
    if (found === undefined) return undefined;
    const { seq, time: at, hdrs, data } = found.message;
    const decoded = (base64 = "") => Buffer.from(base64, "base64").toString();
    const [, source] = /^Nats-Stream-Source: *\S+ (\d+)/im.exec(decoded(hdrs)) ?? [];
    return { seq, at, text: decoded(data), sourceSeq: source === undefined ? undefined : Number(source) };
  }
}
