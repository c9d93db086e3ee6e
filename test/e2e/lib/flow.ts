import type { access } from "./access.ts";
import { eventually } from "./http.ts";

/** What is published without end, and by whom. */
interface FlowArgs {
  readonly to: ReturnType<typeof access>;
  /** The service as which it is published. */
  readonly service: string;
  readonly subject: string;
  readonly message: (n: number) => object;
}

/** Publishes messages as a service, 20 a second, over whatever restarts and rotations, and notes when each was sent. */
export class Flow {
  readonly #args: FlowArgs;
  readonly #times: number[] = [];
  #running = true;
  #done: Promise<void> | undefined;
  /** Whether it publishes nothing at present. */
  isPaused = false;
  refused = 0;

  constructor(args: FlowArgs) {
    this.#args = args;
  }

  get sent(): number {
    return this.#times.length;
  }

  at(n: number): number {
    return this.#times[n] ?? Number.NaN;
  }

  /** The number of the first message that was sent at a time or later; the next one's, where there is none. */
  sentAt(time: number): number {
    const found = this.#times.findIndex((each) => each >= time);
    return found < 0 ? this.#times.length : found;
  }

  async more(count: number): Promise<void> {
    const from = this.sent;
    await eventually("more messages", 60, async () => (this.sent >= from + count ? true : undefined));
  }

  async start(): Promise<void> {
    const { to, service } = this.#args;
    const user = await to.natsUserOf(service);
    const password = await to.secret(service, "NATS_PASSWORD");
    this.#done = this.#publish(user, password);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  async #publish(user: string, password: string): Promise<void> {
    const { subject, message } = this.#args;
    while (this.#running) {
      const connection = await this.#args.to.nats(user, password).catch(() => undefined);
      if (connection === undefined) {
        await new Promise((done) => setTimeout(done, 100));
        continue;
      }
      void (async () => {
        for await (const status of connection.status()) if (status.type === "error") this.refused++;
      })();
      while (this.#running && !connection.isClosed()) {
        if (!this.isPaused) {
          connection.publish(subject, JSON.stringify(message(this.#times.length)));
          this.#times.push(Date.now());
        }
        await new Promise((done) => setTimeout(done, 50));
      }
      await connection.close().catch(() => undefined);
    }
  }
}
