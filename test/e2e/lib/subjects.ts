import { connect, type NatsConnection, PermissionViolationError } from "@nats-io/transport-node";

/** Who publishes and who receives each subject: written apart from the catalogue, as the platform's own table has it. */
export const subjects: Readonly<Record<string, { readonly from: readonly string[]; readonly to: readonly string[] }>> =
  {
    "news.item.created": { from: ["gateway-api", "news-ingestor"], to: ["llm-agents"] },
    "market.bars.e2e": { from: ["data-ingestor"], to: ["feature-pipeline"] },
    "market.ticks.e2e": { from: ["data-ingestor"], to: ["risk-manager"] },
    "macro.e2e": { from: ["data-ingestor"], to: [] },
    "features.snapshot.e2e": { from: ["feature-pipeline"], to: ["llm-agents"] },
    "llm.intent.proposed": { from: ["gateway-api", "llm-agents"], to: ["risk-manager"] },
    "llm.intent.trace": { from: ["llm-agents"], to: [] },
    "risk.order.approved": { from: ["risk-manager"], to: ["execution-ib", "execution-crypto"] },
    "risk.order.rejected": { from: ["risk-manager"], to: [] },
    // risk-manager as well: it stops approving, so that the switch holds for both venues.
    "risk.kill_switch.activated": { from: ["gateway-api"], to: ["execution-ib", "risk-manager"] },
    "exec.order.submitted": { from: ["execution-ib"], to: [] },
    "exec.order.filled": { from: ["execution-ib", "execution-crypto"], to: ["portfolio-ledger"] },
    "exec.order.rejected": { from: ["execution-ib"], to: [] },
  };

/** What no user may do: spoil the stream, read all, ask the server, or answer in another's name. */
export const forbidden = {
  publish: [
    "$JS.API.STREAM.DELETE.ORDERS",
    "$JS.API.STREAM.PURGE.ORDERS",
    "$JS.API.STREAM.MSG.DELETE.ORDERS",
    "$JS.API.CONSUMER.DELETE.ORDERS.execution-ib_risk_order_approved",
    "$JS.API.STREAM.CREATE.OTHER",
    "$JS.API.STREAM.CREATE.INTENTS",
    "$JS.API.STREAM.UPDATE.FILLS",
    "$JS.API.CONSUMER.CREATE.ORDERS.e2e",
    "$SYS.REQ.SERVER.PING",
    "_INBOX_nobody.1",
    "e2e.unknown",
  ],
  subscribe: [">", "*", "*.*.*", "risk.>", "exec.order.*", "_INBOX.>", "_INBOX_nobody.>", "$SYS.>", "$JS.API.>"],
} as const;

/** Tries subjects as one user, and tells those that the server did not refuse. */
export class NatsTrial {
  readonly #connection: NatsConnection;
  readonly #refused = new Set<string>();

  private constructor(connection: NatsConnection) {
    this.#connection = connection;
    void (async () => {
      for await (const status of connection.status())
        if (status.type === "error" && status.error instanceof PermissionViolationError)
          this.#refused.add(`${status.error.operation} ${status.error.subject}`);
    })();
  }

  static async of(servers: string, user: string, pass: string, ca: string): Promise<NatsTrial> {
    const tls = { ca, checkServerIdentity: () => undefined };
    return new NatsTrial(await connect({ servers, tls, user, pass, maxReconnectAttempts: 0 }));
  }

  /** Publishes what no consumer takes for a message of its own: it is no JSON. */
  async publish(tried: readonly string[]): Promise<string[]> {
    for (const subject of tried) this.#connection.publish(subject, "no message");
    return await this.#allowed("publish", tried);
  }

  async subscribe(tried: readonly string[]): Promise<string[]> {
    const subscriptions = tried.map((subject) => this.#connection.subscribe(subject, { callback: () => undefined }));
    const allowed = await this.#allowed("subscription", tried);
    for (const subscription of subscriptions) if (!subscription.isClosed()) subscription.unsubscribe();
    return allowed;
  }

  /** The server answers a ping after all that was sent before it. */
  async #allowed(verb: string, tried: readonly string[]): Promise<string[]> {
    await this.#connection.flush();
    await new Promise((done) => setTimeout(done, 50));
    return tried.filter((subject) => !this.#refused.has(`${verb} ${subject}`));
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
