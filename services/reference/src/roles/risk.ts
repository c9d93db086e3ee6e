import { KillSwitch, readActivation } from "../killSwitch.ts";
import {
  type Intent,
  type Limit,
  limits,
  MessageError,
  type Order,
  type Payload,
  parseIntent,
  parseTick,
} from "../messages.ts";
import { marketArrival, riskMetrics } from "../metrics.ts";
import { breached, breaches, type Holding, type RiskView, riskLimits, riskView, traded } from "../portfolio.ts";
import { type Decision, RiskStore } from "../riskStore.ts";
import type { Service } from "../service.ts";
import { privateKey, signed, trustedKeys, verified } from "../signing.ts";
import { startPrice, symbolsOf, venueOf, yamlFile } from "../symbols.ts";

const REFRESH_MS = 2000;
const APPROVED = "risk.order.approved";
const REJECTED = "risk.order.rejected";
const refusals = ["signature", "kill_switch", "order_value", ...limits];

/** Decides on each intent once, within the limits, and signs what it approves. */
export class RiskManager {
  readonly #service: Service;
  readonly #limits;
  readonly #metrics;
  readonly #arrival;
  readonly #killSwitch: KillSwitch;
  readonly #signingKey;
  readonly #trusted;
  readonly #store: RiskStore;
  readonly #prices = new Map<string, number>();
  /** A breach that a test asked for, and the symbol that it is about. */
  #simulated: { readonly limit: Limit; readonly symbol: string } | undefined;
  #breaching: readonly Limit[] = [];

  constructor(service: Service) {
    const { config } = service;
    this.#service = service;
    this.#limits = riskLimits(yamlFile(config, "RISK_CONFIG"));
    this.#metrics = riskMetrics(service.metrics);
    this.#arrival = marketArrival(service.metrics);
    this.#killSwitch = new KillSwitch(config.env.text("KILL_SWITCH_FILE") ?? "/data/kill-switch");
    this.#signingKey = privateKey(config.env.requiredFile("RISK_SIGNING_PRIVATE_KEY_PATH"));
    this.#trusted = trustedKeys(config, "LLM");
    this.#store = new RiskStore(service.redis);
    // A counter that begins at 0 shows its first event as an increase.
    for (const reason of refusals) this.#metrics.rejections.inc({ reason }, 0);
    for (const limit of limits) this.#metrics.breaches.inc({ limit }, 0);
    for (const symbol of symbolsOf(config)) this.#metrics.approvals.inc({ symbol }, 0);
  }

  start(): void {
    const { bus, http, log } = this.#service;
    bus.subscribe("market.ticks.>", async (payload) => {
      const tick = parseTick(payload);
      this.#prices.set(tick.symbol, tick.price);
      this.#arrival.set({ symbol: tick.symbol }, Math.max(0, (Date.now() - Date.parse(tick.at)) / 1000));
    });
    const stop = async (payload: Payload) => {
      this.#killSwitch.activate(payload);
      this.#metrics.killSwitch.set(1);
      log.warning("kill switch set: no order is approved or executed until its file is removed");
    };
    bus.subscribe("risk.kill_switch.activated", stop, readActivation);
    bus.subscribe("llm.intent.proposed", (payload) => this.#decide(payload));
    http.route("GET", "/kill-switch", async () => ({ body: this.#killSwitch.state() }));
    this.#service.every(REFRESH_MS, "risk metrics", async () => this.#show(await this.#view()));
  }

  async #decide(payload: Payload): Promise<void> {
    let intent: Intent;
    try {
      intent = parseIntent(verified(this.#trusted, payload));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#metrics.rejections.inc({ reason: "signature" });
      throw error;
    }
    this.#simulate(intent);
    // A message that comes again gets the decision of the first time.
    const decided = await this.#store.decision(intent.id);
    if (decided !== undefined) return await this.#tell(intent.id, decided);
    const holdings = await this.#store.holdings();
    const price = this.#prices.get(intent.symbol) ?? startPrice(intent.symbol);
    const after = traded(holdings, { ...intent, price });
    const refusal = this.#refusal(intent, price, await this.#view(after));
    const decision: Decision =
      refusal === undefined
        ? { subject: APPROVED, payload: signed(this.#signingKey, orderOf(intent, price)), told: false }
        : { subject: REJECTED, payload: { id: intent.id, reason: refusal, at: new Date().toISOString() }, told: false };
    const changed = refusal === undefined ? ([intent.symbol, after.get(intent.symbol)] as const) : undefined;
    await this.#store.decide(intent.id, decision, changed);
    await this.#tell(intent.id, decision);
    if (refusal === undefined) this.#metrics.approvals.inc({ symbol: intent.symbol });
    else this.#metrics.rejections.inc({ reason: refusal });
    this.#service.log.info(refusal === undefined ? "order approved" : "order rejected", {
      id: intent.id,
      reason: refusal,
    });
  }

  async #tell(id: string, decision: Decision): Promise<void> {
    if (decision.told) return;
    await this.#service.bus.publish(decision.subject, decision.payload, `${decision.subject}:${id}`);
    await this.#store.told(id, decision);
  }

  #refusal(intent: Intent, price: number, after: RiskView): string | undefined {
    if (this.#killSwitch.state().active) return "kill_switch";
    if (intent.quantity * price > this.#limits.maxOrderUsd) return "order_value";
    return breaches(after, this.#limits)[0];
  }

  #simulate({ simulate, symbol }: Intent): void {
    if (simulate?.breach === undefined) return;
    this.#simulated = simulate.breach === "none" ? undefined : { limit: simulate.breach, symbol };
    this.#service.log.warning("simulated breach", { limit: simulate.breach });
  }

  async #view(holdings?: ReadonlyMap<string, Holding>): Promise<RiskView> {
    const current = holdings ?? (await this.#store.holdings());
    const prices = new Map(
      [...current.keys()].map((symbol) => [symbol, this.#prices.get(symbol) ?? startPrice(symbol)]),
    );
    const { startEquityUsd } = this.#limits;
    const plain = riskView(current, prices, startEquityUsd, startEquityUsd);
    const dayStart = await this.#store.dayStart(plain.equity);
    const view = { ...plain, dailyPnl: plain.equity - dayStart };
    return this.#simulated === undefined
      ? view
      : breached(view, this.#simulated.limit, this.#limits, this.#simulated.symbol);
  }

  #show(view: RiskView): void {
    const metrics = this.#metrics;
    metrics.killSwitch.set(this.#killSwitch.state().active ? 1 : 0);
    metrics.equity.set(view.equity);
    metrics.leverage.set(view.leverage);
    metrics.var95.set(view.var95);
    metrics.varLimit.set(this.#limits.maxVar95Usd);
    metrics.dailyPnl.set(view.dailyPnl);
    metrics.dailyLossLimit.set(this.#limits.maxDailyLossUsd);
    for (const [symbol, value] of view.values) metrics.positionValue.set({ symbol }, value);
    metrics.concentration.reset();
    for (const [symbol, pct] of view.concentrationPct) metrics.concentration.set({ symbol }, pct);
    const breaching = breaches(view, this.#limits);
    // A breach counts when it begins, not at every look.
    for (const limit of breaching) if (!this.#breaching.includes(limit)) metrics.breaches.inc({ limit });
    this.#breaching = breaching;
  }
}

function orderOf(intent: Intent, price: number): Order {
  return {
    id: intent.id,
    symbol: intent.symbol,
    side: intent.side,
    quantity: intent.quantity,
    limitPrice: price,
    venue: venueOf(intent.symbol),
    intentAt: intent.at,
    at: new Date().toISOString(),
    ...(intent.simulate === undefined ? {} : { simulate: intent.simulate }),
  };
}

export function startRisk(service: Service): void {
  new RiskManager(service).start();
}
