import { access, constants } from "node:fs/promises";
import { isServiceName, type ServiceName } from "../../../components/platform/catalogue.ts";
import { Bus } from "./bus.ts";
import { type Config, peerUrl } from "./config.ts";
import { Database } from "./database.ts";
import { Health } from "./health.ts";
import { HttpServer } from "./http.ts";
import { Log, reason } from "./log.ts";
import { type CommonMetrics, commonMetrics, Metrics } from "./metrics.ts";
import { RedisConnection } from "./redis.ts";
import { pauseAfter, sleep } from "./timing.ts";
import { traceHeaders } from "./tracing.ts";

const PEER_LIMIT_MS = 1000;

/** What a role works with: only what its entry of the catalogue says that it needs. */
export class Service {
  readonly config: Config;
  readonly log: Log;
  readonly metrics = new Metrics();
  readonly common: CommonMetrics;
  readonly http: HttpServer;
  readonly health: Health;
  /** Aborted when the service begins to stop. */
  readonly stopping = new AbortController();
  readonly #bus: Bus | undefined;
  readonly #redis: RedisConnection | undefined;
  readonly #database: Database | undefined;

  constructor(config: Config) {
    this.config = config;
    this.log = new Log(config.role, config.logLevel);
    this.common = commonMetrics(this.metrics, config.role);
    this.http = new HttpServer(this.log, this.common);
    this.health = new Health(this.common.dependencyUp);
    const needs = new Set<string>(config.spec?.needs ?? []);
    this.#bus = needs.has("nats") ? new Bus(config, this.log, this.common) : undefined;
    this.#redis = needs.has("redis") ? new RedisConnection(config.redis, this.log) : undefined;
    this.#database = needs.has("postgres")
      ? new Database(config.postgres, config.role, this.log, this.metrics)
      : undefined;
    this.#redis?.start();
    this.#probes(needs);
    this.http.route("GET", "/health", () => this.#report(), false);
    this.http.route("GET", "/metrics", () => this.#scrape(), false);
    this.http.route(
      "GET",
      "/",
      async () => ({ body: `${config.role}: a reference stand-in, which trades nothing\n` }),
      false,
    );
  }

  get bus(): Bus {
    return this.#required("nats", this.#bus);
  }
  get redis(): RedisConnection {
    return this.#required("redis", this.#redis);
  }
  get database(): Database {
    return this.#required("postgres", this.#database);
  }

  #required<T>(need: string, value: T | undefined): T {
    if (value === undefined) throw new Error(`${this.config.role} does not list ${need} among its needs`);
    return value;
  }

  #probes(needs: ReadonlySet<string>): void {
    const { bus, redis, database } = { bus: this.#bus, redis: this.#redis, database: this.#database };
    if (bus !== undefined) this.health.own("nats", () => bus.probe());
    if (redis !== undefined) this.health.own("redis", () => redis.probe());
    if (database !== undefined) this.health.own("postgres", () => database.probe());
    for (const { name, path } of needs.has("data-volume") ? (this.config.spec?.volumes ?? []) : []) {
      const directory = this.config.env.text("DATA_DIR") ?? path;
      this.health.own(`volume ${name}`, () => access(directory, constants.W_OK));
    }
    for (const need of needs) {
      if (isServiceName(need)) this.health.peer(need, () => this.ask(need, "/health"));
    }
  }

  async #report() {
    const { status, text } = await this.health.report(this.http.draining);
    return { status, body: text };
  }

  async #scrape() {
    return {
      headers: { "content-type": this.metrics.registry.contentType },
      body: await this.metrics.registry.metrics(),
    };
  }

  /** Asks another service over HTTP; a failure or an answer that is no success throws. */
  async ask(peer: ServiceName, path: string): Promise<string> {
    const response = await fetch(`${peerUrl(this.config.env, peer)}${path}`, {
      headers: traceHeaders(),
      signal: AbortSignal.timeout(PEER_LIMIT_MS),
    });
    const body = await response.text();
    if (!response.ok) throw new Error(`${peer} answered ${response.status}`);
    return body;
  }

  /** Repeats work until the service stops; a failure is logged, and the work is tried again sooner than usual. */
  every(ms: number, what: string, work: () => Promise<void>): void {
    const { signal } = this.stopping;
    const loop = async () => {
      for (let failures = 0; !signal.aborted; ) {
        try {
          await work();
          failures = 0;
        } catch (error) {
          failures++;
          this.log.warning(`${what} failed`, { error: reason(error) });
        }
        await sleep(failures === 0 ? ms : Math.min(ms, pauseAfter(failures)), signal);
      }
    };
    void loop();
  }

  /** Begins no new work, finishes what is in flight, closes everything. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.http.drain();
    await Promise.all([this.#bus?.stop(), sleep(this.config.drainGraceMs).then(() => this.http.close())]);
    this.#redis?.stop();
    await this.#database?.stop();
  }
}
