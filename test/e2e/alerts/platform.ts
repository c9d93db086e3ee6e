import { type AlertCase, allUp, api, constant, gauge, latency, requests, rising } from "./cases.ts";

export const servicesCases: readonly AlertCase[] = [
  {
    alert: "ServiceDown",
    service: "portfolio-ledger",
    fires: [
      { series: { ...allUp("portfolio-ledger"), 'up{job="portfolio-ledger"}': constant(0) }, at: "2m" },
      { series: allUp("portfolio-ledger"), at: "2m" },
    ],
    quiet: [
      { series: allUp(), at: "2m" },
      { series: { ...allUp(), 'up{job="grafana"}': constant(0) }, at: "2m" },
    ],
  },
  gauge("ServiceMemoryHigh", "reporter", 'process_resident_memory_bytes{job="reporter"}', 250 * 2 ** 20, 100 * 2 ** 20),
  {
    alert: "ServiceErrorsHigh",
    service: "gateway-api",
    fires: [{ series: { [requests("200")]: rising(9), [requests("503")]: rising(1) }, at: "15m" }],
    quiet: [
      { series: { [requests("200")]: rising(99), [requests("503")]: rising(1) }, at: "15m" },
      // What a probe is told is no request that failed, nor is a caller's own mistake.
      {
        series: { [requests("200")]: rising(9), [requests("503", "/health")]: rising(9), [requests("404")]: rising(9) },
        at: "15m",
      },
    ],
  },
  {
    alert: "ServiceLatencyHigh",
    service: "gateway-api",
    fires: [{ series: latency("http_request_duration_seconds", `${api},path="/api/orders"`, 2.5), at: "15m" }],
    quiet: [{ series: latency("http_request_duration_seconds", `${api},path="/api/orders"`, 0.1), at: "15m" }],
  },
  gauge("DependencyUnreachable", "gateway-api", 'dependency_up{job="gateway-api",dependency="redis"}', 0, 1),
  {
    alert: "OrderQueueGrowing",
    service: "nats",
    fires: [
      {
        series: {
          'nats_messages_total{job="risk-manager",subject="exec.order.filled",status="published"}': rising(2),
          'nats_messages_total{job="portfolio-ledger",subject="exec.order.filled",status="received"}': rising(0.5),
        },
        at: "20m",
      },
      {
        series: {
          'nats_messages_total{job="risk-manager",subject="exec.order.filled",status="published"}': rising(2),
          'nats_messages_total{job="portfolio-ledger",subject="exec.order.filled",status="received"}': constant(0),
        },
        at: "20m",
      },
      // One of two readers keeps up.
      {
        series: {
          'nats_messages_total{job="news-ingestor",subject="news.item.created",status="published"}': rising(2),
          'nats_messages_total{job="llm-agents",subject="news.item.created",status="received"}': rising(2),
          'nats_messages_total{job="another",subject="news.item.created",status="received"}': rising(0.5),
        },
        at: "20m",
      },
    ],
    quiet: [
      // The reader does not count what it receives: other alerts tell that.
      {
        series: { 'nats_messages_total{job="risk-manager",subject="exec.order.filled",status="published"}': rising(2) },
        at: "20m",
      },
      {
        series: {
          'nats_messages_total{job="risk-manager",subject="exec.order.filled",status="published"}': rising(2),
          'nats_messages_total{job="portfolio-ledger",subject="exec.order.filled",status="received"}': rising(2),
        },
        at: "20m",
      },
    ],
  },
  gauge("RateLimiterDegraded", "gateway-api", 'rate_limiter_local{job="gateway-api"}', 1, 0),
];

export const budgetsCases: readonly AlertCase[] = [
  {
    alert: "ErrorBudgetBurnsFast",
    service: "gateway-api",
    fires: [
      { series: { [requests("200")]: rising(80), [requests("500")]: rising(20) }, at: "70m", every: "1m" },
      { series: latency("http_request_duration_seconds", `${api},path="/api/orders"`, 1), at: "70m", every: "1m" },
    ],
    quiet: [
      { series: { [requests("200")]: rising(9999), [requests("500")]: rising(1) }, at: "70m", every: "1m" },
      { series: latency("http_request_duration_seconds", `${api},path="/api/orders"`, 0.5), at: "70m", every: "1m" },
      // It was bad half an hour ago and is good now: nobody is woken for what is over.
      { series: { [requests("200")]: rising(80), [requests("500")]: "0+20x30 600x100" }, at: "70m", every: "1m" },
    ],
  },
  {
    alert: "ErrorBudgetBurnsSlowly",
    service: "gateway-api",
    fires: [{ series: { [requests("200")]: rising(995), [requests("500")]: rising(5) }, at: "26h", every: "5m" }],
    quiet: [{ series: { [requests("200")]: rising(9999), [requests("500")]: rising(1) }, at: "26h", every: "5m" }],
  },
];
