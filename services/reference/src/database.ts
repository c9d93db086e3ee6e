import { SpanKind } from "@opentelemetry/api";
import pg from "pg";
import type { Config } from "./config.ts";
import { type Log, reason } from "./log.ts";
import { databaseMetrics, type Metrics } from "./metrics.ts";
import { inSpan } from "./tracing.ts";

export type Row = Readonly<Record<string, unknown>>;
export type Query = (type: string, sql: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

/** A small pool of Postgres connections; a lost one is replaced at the next query. */
export class Database {
  readonly #pool: pg.Pool;
  /** A connection of its own, which does not wait behind the work: a busy service is not unhealthy. */
  readonly #probes: pg.Pool;
  readonly #seconds;

  constructor(config: Config["postgres"], role: string, log: Log, metrics: Metrics) {
    this.#seconds = databaseMetrics(metrics).querySeconds;
    const settings: pg.PoolConfig = {
      host: config.host,
      port: config.port,
      database: config.database,
      user: config.user ?? role.replaceAll("-", "_"),
      ...(config.password === undefined ? {} : { password: config.password }),
      application_name: role,
      // Long enough for a host at its limit: a connection that is cut off and begun again makes the load worse.
      connectionTimeoutMillis: 10_000,
      statement_timeout: 5000,
      query_timeout: 6000,
    };
    this.#pool = new pg.Pool({ ...settings, max: 5 });
    this.#probes = new pg.Pool({ ...settings, max: 1, idleTimeoutMillis: 0 });
    for (const pool of [this.#pool, this.#probes])
      pool.on("error", (error) => log.warning("postgres connection lost", { error: reason(error) }));
  }

  /** Runs one statement. `type` is its label in metrics and traces. */
  query(type: string, sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return this.#measured(type, async () => (await this.#pool.query<Row>(sql, [...values])).rows);
  }

  /** Runs statements in one transaction. */
  async transaction<T>(type: string, work: (query: Query) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken = true;
    try {
      await client.query("BEGIN");
      const result = await work((step, sql, values = []) =>
        this.#measured(step, async () => (await client.query<Row>(sql, [...values])).rows),
      );
      await this.#measured(type, () => client.query("COMMIT"));
      broken = false;
      return result;
    } catch (error) {
      broken = await client.query("ROLLBACK").then(
        () => false,
        () => true,
      );
      throw error;
    } finally {
      client.release(broken);
    }
  }

  probe(): Promise<unknown> {
    return this.#probes.query("SELECT 1");
  }

  async stop(): Promise<void> {
    await Promise.all([this.#pool.end(), this.#probes.end()]);
  }

  #measured<T>(type: string, work: () => Promise<T>): Promise<T> {
    const end = this.#seconds.startTimer({ query_type: type });
    const attributes = { "db.system.name": "postgresql", "db.operation.name": type };
    return inSpan(`postgres ${type}`, { kind: SpanKind.CLIENT, attributes }, work).finally(end);
  }
}
