import { type ServiceName, type ServiceSpec, services } from "../../components/platform/catalogue.ts";
import { isDurable } from "../../components/platform/streams.ts";

/** A metric that an alert or a promise about a service reads, and who shows it. */
export interface NeededMetric {
  readonly name: string;
  /** Labels without which the rules do not find it. */
  readonly labels?: readonly string[];
  readonly of: (service: ServiceName) => boolean;
}

const spec = (service: ServiceName): ServiceSpec => services[service];
const serves = (service: ServiceName) => spec(service).port !== null;
const only =
  (...names: readonly ServiceName[]) =>
  (service: ServiceName) =>
    names.includes(service);
const isExecutor = (service: ServiceName) => spec(service).publishes.includes("exec.order.filled");
const isOnTheWay = (service: ServiceName) =>
  [...spec(service).publishes, ...spec(service).subscribes].some((subject) => isDurable(subject));

/** The services' own metrics that the rules read; a unit test compares them with the rules. */
export const neededMetrics: readonly NeededMetric[] = [
  { name: "process_start_time_seconds", of: serves },
  { name: "process_resident_memory_bytes", of: serves },
  { name: "http_requests_total", labels: ["path", "status"], of: serves },
  { name: "http_request_duration_seconds", labels: ["path"], of: serves },
  { name: "dependency_up", labels: ["dependency"], of: (service) => serves(service) && spec(service).needs.length > 0 },
  { name: "nats_messages_total", labels: ["subject", "status"], of: isOnTheWay },
  { name: "rate_limiter_local", of: only("gateway-api") },
  // Lag is measured where ticks arrive.
  { name: "market_feed_lag_seconds", of: only("risk-manager") },
  { name: "llm_errors_total", of: only("llm-agents") },
  { name: "llm_request_duration_seconds", of: only("llm-agents") },
  ...["orders_submitted_total", "orders_filled_total", "orders_failed_total"].map((name) => ({ name, of: isExecutor })),
  ...["order_latency_seconds", "order_slippage_bps"].map((name) => ({ name, of: isExecutor })),
  ...[
    ...["kill_switch_active", "daily_pnl", "daily_loss_limit", "portfolio_var_95", "portfolio_var_limit"],
    ...["portfolio_leverage_ratio", "position_concentration_pct"],
  ].map((name) => ({ name, of: only("risk-manager") })),
];

/** The names that a page of metrics declares or shows, each with the labels that its series have. */
export function shownMetrics(page: string): ReadonlyMap<string, ReadonlySet<string>> {
  const shown = new Map<string, Set<string>>();
  const types = new Map<string, string>();
  const labelsOf = (name: string) => {
    const known = shown.get(name) ?? new Set<string>();
    shown.set(name, known);
    return known;
  };
  for (const line of page.split("\n")) {
    const declared = /^# TYPE (\S+) (\S+)/.exec(line);
    if (declared !== null) {
      const [, name = "", type = ""] = declared;
      types.set(name, type);
      labelsOf(name);
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+/.exec(line);
    if (sample === null) continue;
    const [, name = "", labels = ""] = sample;
    const family = name.replace(/_(bucket|sum|count)$/, "");
    const own = labelsOf(types.get(family) === "histogram" || types.get(family) === "summary" ? family : name);
    for (const [, label = ""] of labels.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"/g)) own.add(label);
  }
  return shown;
}

/** What a service's page of metrics lacks, each in a few words. */
export function missingMetrics(service: ServiceName, page: string): string[] {
  const shown = shownMetrics(page);
  return neededMetrics
    .filter(({ of }) => of(service))
    .flatMap(({ name, labels = [] }) => {
      const has = shown.get(name);
      if (has === undefined) return [name];
      // A metric without a series yet shows no label.
      const without = has.size === 0 ? [] : labels.filter((label) => !has.has(label));
      return without.length === 0 ? [] : [`${name} without the label ${without.join(", ")}`];
    });
}
