import { HttpError } from "../http.ts";
import type { Payload } from "../messages.ts";
import type { Service } from "../service.ts";

const MOST_ALERTS = 200;
const SCHEMA_CHECK_MS = 60_000;

const schema = `CREATE TABLE IF NOT EXISTS reporter.alerts (
  fingerprint text, starts_at timestamptz, status text NOT NULL, name text NOT NULL, severity text NOT NULL,
  summary text NOT NULL, received_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (fingerprint, starts_at))`;

const upsert = `INSERT INTO reporter.alerts (fingerprint, starts_at, status, name, severity, summary)
  VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (fingerprint, starts_at) DO UPDATE SET status = excluded.status, received_at = now()`;

function isObject(value: unknown): value is Payload {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The columns of one alert of Alertmanager's webhook (version 4). */
export function alertRow(alert: unknown): readonly string[] {
  if (!isObject(alert)) throw new HttpError(400, "each alert must be an object");
  const labels = isObject(alert.labels) ? alert.labels : {};
  const annotations = isObject(alert.annotations) ? alert.annotations : {};
  const startsAt = String(alert.startsAt ?? "");
  if (Number.isNaN(Date.parse(startsAt))) throw new HttpError(400, "each alert must have startsAt");
  const name = String(labels.alertname ?? "unnamed");
  return [
    String(alert.fingerprint ?? name),
    startsAt,
    String(alert.status ?? "firing"),
    name,
    String(labels.severity ?? "none"),
    String(annotations.summary ?? ""),
  ];
}

/** Takes Alertmanager's webhook into Postgres. A real reporter would mail; the stand-in says what it would send. */
export function startReporter(service: Service): void {
  const { http, database, metrics } = service;
  const received = metrics.counter("reporter_alerts_total", "Alerts received", "status", "severity");
  service.every(SCHEMA_CHECK_MS, "schema", async () => {
    await database.query("schema", schema);
  });

  http.route("POST", "/alert", async (request) => {
    const { alerts } = await request.json();
    if (!Array.isArray(alerts)) throw new HttpError(400, "alerts must be a list");
    for (const row of alerts.map(alertRow)) {
      await database.query("upsert_alert", upsert, row);
      const [, , status = "", name = "", severity = ""] = row;
      received.inc({ status, severity });
      service.log.info("alert stored; a stand-in mails nothing", { alert: name, status, severity });
    }
    return { body: { stored: alerts.length } };
  });
  http.route("GET", "/alerts", async () => {
    const sql = "SELECT * FROM reporter.alerts ORDER BY received_at DESC LIMIT $1";
    return { body: { alerts: await database.query("select_alerts", sql, [MOST_ALERTS]) } };
  });
  http.route("GET", "/report", async () => {
    const sql =
      "SELECT count(*)::int AS fills, coalesce(sum(quantity * price), 0)::float AS volume_usd FROM portfolio_ledger.fills WHERE at > now() - interval '1 day'";
    const [day] = await database.query("select_report", sql);
    return { body: { simulated: true, last24h: day } };
  });
}
