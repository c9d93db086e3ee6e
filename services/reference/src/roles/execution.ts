import { readActivation } from "../killSwitch.ts";
import { type Fill, MessageError, type Order, type Payload, parseOrder, type Venue } from "../messages.ts";
import { orderMetrics } from "../metrics.ts";
import type { Service } from "../service.ts";
import { trustedKeys, verified } from "../signing.ts";
import { symbolsOf, venueOf } from "../symbols.ts";
import { sleep } from "../timing.ts";
import { inSpan } from "../tracing.ts";
import { twsVersion } from "../tws.ts";

const BROKER_LIMIT_MS = 2000;
/** After the kill switch's message, until the risk manager has surely written its file. */
const LOCAL_STOP_MS = 10_000;
const USUAL_SLIPPAGE_BPS = 3;

export interface Habits {
  readonly failureRate: number;
  readonly slippageBps: number;
  readonly latencyMs: number;
}

/** What the venue does with an order: the order's own simulation goes before the habits. */
export function paperFill(order: Order, habits: Habits, at: Date, random = Math.random): Fill | undefined {
  if (order.simulate?.fail ?? random() < habits.failureRate) return undefined;
  const slippageBps = order.simulate?.slippageBps ?? habits.slippageBps;
  const worse = order.side === "buy" ? 1 : -1;
  return {
    id: order.id,
    symbol: order.symbol,
    side: order.side,
    quantity: order.quantity,
    price: order.limitPrice * (1 + (worse * slippageBps) / 10_000),
    slippageBps,
    venue: order.venue,
    paper: true,
    at: at.toISOString(),
  };
}

/** Executes approved orders on paper, at one venue. */
class Executor {
  readonly #service: Service;
  readonly #venue: Venue;
  readonly #metrics;
  readonly #trusted;
  readonly #habits: Habits;
  #stoppedUntil = 0;

  constructor(service: Service, venue: Venue) {
    const { env } = service.config;
    this.#service = service;
    this.#venue = venue;
    this.#metrics = orderMetrics(service.metrics);
    this.#trusted = trustedKeys(service.config, "RISK");
    this.#habits = {
      failureRate: env.number("SIMULATE_FAILURE_RATE", 0),
      slippageBps: env.number("SIMULATE_SLIPPAGE_BPS", USUAL_SLIPPAGE_BPS),
      latencyMs: env.number("SIMULATE_LATENCY_MS", 30),
    };
  }

  start(): void {
    const { bus, log, config } = this.#service;
    // Counters that begin at 0 show their first event as an increase.
    for (const reason of ["venue", "kill_switch", "signature"])
      this.#metrics.failed.inc({ venue: this.#venue, reason }, 0);
    this.#metrics.latency.zero({ venue: this.#venue });
    this.#metrics.execution.zero({ venue: this.#venue });
    for (const symbol of symbolsOf(config).filter((name) => venueOf(name) === this.#venue)) {
      for (const side of ["buy", "sell"]) {
        this.#metrics.submitted.inc({ venue: this.#venue, symbol, side }, 0);
        this.#metrics.filled.inc({ venue: this.#venue, symbol, side }, 0);
      }
    }
    bus.subscribe("risk.order.approved", (payload) => this.#execute(payload));
    if (!config.spec?.subscribes.includes("risk.kill_switch.activated")) return;
    const stop = async () => {
      this.#stoppedUntil = Date.now() + LOCAL_STOP_MS;
      log.warning("kill switch: no order is executed");
    };
    bus.subscribe("risk.kill_switch.activated", stop, readActivation);
  }

  async #execute(payload: Payload): Promise<void> {
    const received = Date.now();
    const order = this.#verified(payload);
    if (order.venue !== this.#venue) return;
    const labels = { venue: this.#venue, symbol: order.symbol, side: order.side };
    if (await this.#stopped()) return await this.#reject(order, "kill_switch");
    if (this.#venue === "ib") await this.#reachBroker();
    await this.#tell("exec.order.submitted", order.id, {
      id: order.id,
      symbol: order.symbol,
      venue: this.#venue,
      at: new Date().toISOString(),
    });
    this.#metrics.submitted.inc(labels);
    await inSpan(`venue ${this.#venue} (simulated)`, {}, () =>
      sleep(order.simulate?.latencyMs ?? this.#habits.latencyMs),
    );
    const fill = paperFill(order, this.#habits, new Date());
    if (fill === undefined) return await this.#reject(order, "venue");
    await this.#service.bus.publish("exec.order.filled", { ...fill }, `fill:${order.id}`);
    this.#metrics.filled.inc(labels);
    this.#metrics.slippageBps.set({ venue: this.#venue, symbol: order.symbol }, fill.slippageBps);
    this.#metrics.execution.observe({ venue: this.#venue }, (Date.now() - received) / 1000);
    this.#metrics.latency.observe(
      { venue: this.#venue },
      Math.max(0, (Date.now() - Date.parse(order.intentAt)) / 1000),
    );
    this.#service.log.info("order filled on paper", { id: order.id, symbol: order.symbol, side: order.side });
  }

  #verified(payload: Payload): Order {
    try {
      return parseOrder(verified(this.#trusted, payload));
    } catch (error) {
      if (error instanceof MessageError) this.#metrics.failed.inc({ venue: this.#venue, reason: "signature" });
      throw error;
    }
  }

  /** The risk manager holds the switch. When it does not answer, this throws and the order waits: trading unasked is worse than late. */
  async #stopped(): Promise<boolean> {
    if (Date.now() < this.#stoppedUntil) return true;
    const state: unknown = JSON.parse(await this.#service.ask("risk-manager", "/kill-switch"));
    if (typeof state !== "object" || state === null || !("active" in state))
      throw new Error("risk-manager did not tell the kill switch");
    return state.active !== false;
  }

  async #reachBroker(): Promise<void> {
    const { env } = this.#service.config;
    await twsVersion(env.text("IB_HOST") ?? "ib-gateway", env.number("IB_PORT", 4002), BROKER_LIMIT_MS);
  }

  async #reject(order: Order, reason: string): Promise<void> {
    await this.#tell("exec.order.rejected", order.id, {
      id: order.id,
      symbol: order.symbol,
      reason,
      at: new Date().toISOString(),
    });
    this.#metrics.failed.inc({ venue: this.#venue, reason });
    this.#service.log.warning("order not executed", { id: order.id, reason });
  }

  /** Publishes what the catalogue lets this executor publish; the crypto one tells fills only. */
  async #tell(subject: string, id: string, payload: Payload): Promise<void> {
    if (this.#service.config.spec?.publishes.includes(subject))
      await this.#service.bus.publish(subject, payload, `${subject}:${id}`);
  }
}

export function startExecution(service: Service, venue: Venue): void {
  const { env } = service.config;
  if (venue === "ib") {
    service.health.peer("ib-gateway", () =>
      twsVersion(env.text("IB_HOST") ?? "ib-gateway", env.number("IB_PORT", 4002), BROKER_LIMIT_MS),
    );
  }
  new Executor(service, venue).start();
}
