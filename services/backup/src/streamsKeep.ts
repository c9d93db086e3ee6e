import { reason } from "./log.ts";
import type { JetStreamApi, KeptStream, StreamState } from "./streamsApi.ts";
import {
  CONSUMER_CONFIG,
  configOf,
  consumerDifferences,
  PREPARING,
  settledConfig,
  settledConsumer,
  streamDifferences,
} from "./streamsConfig.ts";
import { moveSubjects } from "./streamsMove.ts";

/** What one look at a stream found. */
export interface Kept {
  /** Whether the stream and all of its consumers are there. */
  readonly complete: boolean;
  /** What is not as it is kept, and could not be changed to it, a sentence each. */
  readonly faults: readonly string[];
  /** What was made or changed, a sentence each. */
  readonly repairs: readonly string[];
}

class Look {
  readonly #api: JetStreamApi;
  readonly #stream: KeptStream;
  readonly faults: string[] = [];
  readonly repairs: string[] = [];
  complete = true;

  constructor(api: JetStreamApi, stream: KeptStream) {
    this.#api = api;
    this.#stream = stream;
  }

  /** Tries something; what cannot be done is a fault. */
  async #attempt<T>(what: string, work: () => Promise<T>, isRepair = true): Promise<T | undefined> {
    try {
      const made = await work();
      if (isRepair) this.repairs.push(what);
      return made;
    } catch (error) {
      this.faults.push(`${what} failed: ${reason(error)}`);
      return undefined;
    }
  }

  async #exists(): Promise<StreamState | undefined> {
    const { name } = this.#stream;
    const found = await this.#api.stream(name);
    if (found !== undefined) return found;
    const config = { ...configOf(this.#stream), description: PREPARING };
    return await this.#attempt(`making stream ${name}`, () => this.#api.createStream(name, config));
  }

  async #consumer({ name, subject }: KeptStream["consumers"][number], isNew: boolean): Promise<void> {
    const stream = this.#stream.name;
    const found = await this.#api.consumer(stream, name);
    if (found === undefined) {
      // In a new stream everything is for it. In one that others read already, the past is not: an executor must not trade it.
      const config = { ...CONSUMER_CONFIG, deliver_policy: isNew ? "all" : "new" };
      const made = await this.#attempt(`making consumer ${name}`, () =>
        this.#api.setConsumer(stream, name, subject, config, "create"),
      );
      this.complete &&= made !== undefined;
      return;
    }
    const different = consumerDifferences(subject, found);
    if (different.length === 0) return;
    const settled = settledConsumer(subject, found);
    await this.#attempt(`changing ${different.join(", ")} of consumer ${name}`, () =>
      this.#api.setConsumer(stream, name, subject, settled, "update"),
    );
  }

  async run(): Promise<void> {
    const { name, consumers } = this.#stream;
    const now = await this.#exists();
    if (now === undefined) {
      this.complete = false;
      return;
    }
    const isNew = now.config.description === PREPARING;
    for (const consumer of consumers) await this.#consumer(consumer, isNew);
    const different = streamDifferences(this.#stream, now);
    if (different.length === 0 || (isNew && !this.complete)) return;
    // A new stream only gets its description: that is the end of making it, and no repair.
    const changed = await this.#attempt(
      `changing ${different.join(", ")} of stream ${name}`,
      () => this.#api.updateStream(name, settledConfig(this.#stream, now)),
      !isNew,
    );
    const left = changed === undefined ? [] : streamDifferences(this.#stream, changed);
    if (left.length > 0)
      this.faults.push(`stream ${name} keeps its ${left.join(", ")}: messages would be lost, or NATS cannot change it`);
  }
}

/** Looks at every stream and consumer of the table, and makes or changes what is not as it is kept. @throws where NATS does not answer */
export async function keepStreams(api: JetStreamApi, table: readonly KeptStream[]): Promise<ReadonlyMap<string, Kept>> {
  const moved = await moveSubjects(api, table).then(
    (repairs) => ({ repairs, faults: [] }),
    (error: unknown) => ({ repairs: [], faults: [`moving subjects failed: ${reason(error)}`] }),
  );
  const found = new Map<string, Kept>();
  for (const [index, stream] of table.entries()) {
    const look = new Look(api, stream);
    await look.run();
    const { complete, faults, repairs } = look;
    const first = index === 0 ? moved : { repairs: [], faults: [] };
    found.set(stream.name, {
      complete,
      faults: [...first.faults, ...faults],
      repairs: [...first.repairs, ...repairs],
    });
  }
  return found;
}
