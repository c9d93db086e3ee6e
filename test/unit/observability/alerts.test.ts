import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { exposers, METRIC_PRESENT, neededMetrics } from "../../../components/observability/alerts/needed.ts";
import { metricsOf, selectorsOf } from "../../../components/observability/alerts/promql.ts";
import {
  alertGroups,
  metricsNeeded,
  recordingGroups,
  rulesYaml,
} from "../../../components/observability/alerts/rules.ts";
import { queuedSubjects, serviceJobs } from "../../../components/observability/alerts/services.ts";
import { slos, sloWindows } from "../../../components/observability/alerts/slo.ts";
import { serviceNames, services } from "../../../components/platform/catalogue.ts";
import { exporterLines, knownMetrics } from "./promql.ts";

const jobs = [...serviceJobs, "prometheus", "grafana"];
const alerts = alertGroups({ jobs, parts: ["backup", "host"] }).flatMap((group) => group.alerts);
const byName = new Map(alerts.map((alert) => [alert.name, alert]));

/** The table of docs/requirements.md: name, threshold, time, severity. */
const promised: readonly (readonly [name: string, threshold: string, held: string, severity: string])[] = [
  ["HighOrderFailureRate", "> 0.1", "2m", "critical"],
  ["ExcessiveSlippage", "> 50", "5m", "warning"],
  ["OrderLatencyHigh", "> 1", "3m", "warning"],
  ["NoOrdersProcessed", "market:open == 1", "15m", "warning"],
  ["VaRExceeded", "> max(portfolio_var_limit)", "1m", "critical"],
  ["ConcentrationBreach", "> 25", "2m", "critical"],
  ["LeverageExceeded", "> 3", "1m", "critical"],
  ["DailyLossLimitApproaching", ">= 0.8 *", "0s", "warning"],
  ["DailyLossLimitBreached", ">= (max(daily_loss_limit)", "0s", "critical"],
  ["ServiceDown", "== 0", "1m", "critical"],
  ["HighCPUUsage", "> 0.8", "5m", "warning"],
  ["HighMemoryUsage", "> 0.9", "5m", "warning"],
  ["DiskSpaceRunningLow", "< 0.1", "5m", "warning"],
  ["BackupTooOld", "> 90000", "0s", "critical"],
  ["CertificateExpiry", "< 1209600", "10m", "warning"],
  ["SecretRotationDue", "> credential_rotation_period_seconds", "0s", "warning"],
];

/** The rows of the requirements' table: name, time, severity. */
const required = readFileSync(new URL("../../../docs/requirements.md", import.meta.url), "utf8")
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter(([, name = "", , , severity = ""]) => /^[A-Z]\w+$/.test(name) && /^(critical|warning)$/.test(severity))
  .map(([, name = "", , held = "", severity = ""]) => [name, held === "" ? "0s" : held.replace(" min", "m"), severity]);

describe("the alerts", () => {
  test("are those of docs/requirements.md, with their times and severities", () => {
    expect(promised.map(([name, , held, severity]) => [name, held, severity])).toEqual(required);
  });

  test.each(promised)(
    "%s has the platform's threshold %s, time %s and severity %s",
    (name, threshold, held, severity) => {
      expect(byName.get(name)).toMatchObject({ expr: expect.stringContaining(threshold), for: held, severity });
    },
  );

  test("have names of their own", () => expect(byName.size).toBe(alerts.length));

  test.each(alerts)(
    "$name says for whom it is, in one line, and in a sentence",
    ({ service, summary, description }) => {
      expect(service).not.toBe("");
      expect(summary).toMatch(/^[^\n]{10,120}$/);
      expect(description).toMatch(/^[A-Z0-9][^\n]+[.]$/);
    },
  );

  test.each(alerts.filter(({ severity }) => severity === "warning"))(
    "$name names its subject, so that an unrelated critical alert does not silence it",
    ({ subject }) => expect(subject).toBeDefined(),
  );

  test("have a runbook page each, and no page is without its alert", () => {
    const pages = readdirSync(new URL("../../../docs/runbooks/", import.meta.url));
    expect(pages.sort()).toEqual(alerts.map(({ name }) => `${name}.md`).sort());
  });

  test.each(alerts)(
    "$name's page says what it means, where to look and what to do, and links to pages that exist",
    ({ name }) => {
      const text = readFileSync(new URL(`../../../docs/runbooks/${name}.md`, import.meta.url), "utf8");
      expect(text).toMatch(new RegExp(`^# ${name}\n.+\n\n## Look\n1[.] [^]+\n\n## Do\n- `));
      for (const [, page = ""] of text.matchAll(/\]\((\w+)[.]md\)/g)) expect(byName.has(page)).toBe(true);
    },
  );

  test("read only metrics that a job exposes", async () => {
    const known = await knownMetrics();
    const unknown = alerts.flatMap(({ name, expr }) =>
      metricsOf(expr).flatMap((metric) => (known.has(metric) ? [] : [`${name}: ${metric}`])),
    );
    expect(unknown).toEqual([]);
  });

  test("take percentiles over buckets that are summed by `le`", () => {
    for (const { expr } of alerts.filter((alert) => alert.expr.includes("histogram_quantile")))
      expect(expr).toMatch(/histogram_quantile\([\d.]+, sum by \(le/);
  });

  test("never take the absolute value of profit and loss", () => {
    for (const { expr } of alerts.filter((alert) => alert.expr.includes("daily_pnl")))
      expect(expr).not.toContain("abs(");
  });

  test("watch every service of the catalogue, whether it is down or gone", () => {
    const served = serviceNames.filter((name) => services[name].port !== null);
    expect(serviceJobs).toEqual(served);
    for (const name of served) expect(byName.get("ServiceDown")?.expr).toContain(`absent(up{job="${name}"})`);
  });

  test("about a component that the stack lacks are left out", () => {
    const names = alertGroups({ jobs }).flatMap((group) => group.alerts.map(({ name }) => name));
    expect(names).not.toContain("BackupUnknown");
    // Nothing tells of the fixes of a machine that the stack does not set up: their absence is no fault there.
    expect(names).not.toContain("SecurityFixesUnknown");
    expect(names).toContain("BackupTooOld");
  });
});

describe("the recording rules", () => {
  const recordings = recordingGroups({ jobs });

  test("read only metrics that a job exposes", async () => {
    const known = await knownMetrics();
    const read = recordings.flatMap(({ rules }) => rules.flatMap(({ expr }) => metricsOf(expr)));
    expect(read.filter((metric) => !known.has(metric))).toEqual([]);
  });

  test("hold an error ratio for each objective and window", () => {
    const ratios = recordings.flatMap(({ rules }) =>
      rules.filter(({ record }) => record.startsWith("slo:error_ratio")),
    );
    expect(ratios).toHaveLength(slos.length * sloWindows.length);
  });

  test("watch the queues whose readers handle every message", () => {
    expect(queuedSubjects).toEqual(
      expect.arrayContaining(["news.item.created", "llm.intent.proposed", "exec.order.filled"]),
    );
    expect(queuedSubjects).not.toContain("risk.order.approved");
  });
});

test("the rules file is YAML, with every alert in it and a link to its page", () => {
  const { groups } = parse(
    rulesYaml({ jobs, parts: ["backup", "host"], runbooks: "https://example.com/runbooks" }),
  ) as {
    groups: { name: string; rules: { alert?: string; annotations?: Record<string, string> }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules).filter(({ alert }) => alert !== undefined);
  expect(rules.map(({ alert }) => alert)).toEqual(alerts.map(({ name }) => name));
  expect(rules[0]?.annotations?.runbook_url).toBe(`https://example.com/runbooks/${alerts[0]?.name}.md`);
  expect(new Set(groups.map(({ name }) => name)).size).toBe(groups.length);
});

describe("an expression", () => {
  test("is read for its metrics: what is neither function, label, window nor keyword", () => {
    expect(
      metricsOf(
        'sum by (le, job) (rate(a_bucket{le="1",x=~"b_total"}[5m])) / on (job) group_left () b:c offset 5m and vector(1e3) > 0',
      ),
    ).toEqual(["a_bucket", "b:c"]);
    expect(selectorsOf('a{x=~"b|c",y!=\'\\"\'}')).toEqual([
      {
        metric: "a",
        matchers: [
          { label: "x", operator: "=~", value: "b|c" },
          { label: "y", operator: "!=", value: '"' },
        ],
      },
    ]);
  });

  test("that is none, or names no metric, is refused", () => {
    expect(() => metricsOf("sum(a b)")).toThrow(/no PromQL at "b\)": sum\(a b\)/);
    expect(() => metricsOf('{__name__="a"}')).toThrow(/names no metric/);
  });
});

describe("the metrics that alerts need", () => {
  const args = { jobs, parts: ["backup", "host"] as const };
  const needed = metricsNeeded(args);
  const recorded = recordingGroups(args).flatMap(({ rules }) => rules);
  const present = recorded.filter(({ record }) => record === METRIC_PRESENT);
  const names = new Set(needed.map(({ metric }) => metric));

  test("are all that an alert or an objective reads, directly or by a recording", () => {
    const records = new Set(recorded.map(({ record }) => record));
    const rules = [
      ...alerts,
      ...recorded.filter(({ record }) => record.startsWith("slo:") || record === METRIC_PRESENT),
    ];
    const read = rules.flatMap(({ expr }) => metricsOf(expr)).filter((metric) => !records.has(metric));
    expect(read.length).toBeGreaterThan(100);
    expect(read.filter((metric) => !names.has(metric))).toEqual([]);
    for (const metric of ["container_memory_rss", "order_latency_seconds_count", "daily_pnl"])
      expect(names).toContain(metric);
  });

  test("are reported if they are missing, except those whose absence is no fault, with a reason", () => {
    const told = new Set(present.map(({ labels }) => labels?.metric));
    for (const { metric, mayLack } of needed) expect(told.has(metric), metric).toBe(mayLack === undefined);
    expect(needed.filter(({ mayLack }) => mayLack !== undefined).map(({ metric }) => metric)).toEqual([
      "platform_kill_switch_active",
      "up",
      "host_firewall_checked_timestamp_seconds",
      "host_security_fixes_oldest_timestamp_seconds",
      "host_security_checked_timestamp_seconds",
      "backup_last_success_timestamp_seconds",
      "backup_second_copy_last_success_timestamp_seconds",
      "backup_second_copy_last_success",
      "backup_second_copy_append_only",
      "backup_second_copy_prune_due_snapshots",
      "wal_archive_unsent_seconds",
      "loki_discarded_samples_total",
    ]);
    for (const name of ["BackupUnknown", "SecurityFixesUnknown", "TargetMissing", "ServiceDown"])
      expect(byName.get(name)?.expr).toContain("absent(");
  });

  test("come with the alerts that are blind without them", () => {
    const row = present.find(({ labels }) => labels?.metric === "daily_pnl");
    expect(row?.labels?.alerts).toBe("DailyLossLimitApproaching, DailyLossLimitBreached");
    expect(row?.expr).toContain('count by (job) (daily_pnl{job=~"risk-manager"})');
  });

  test("are exposed by the jobs of the table, as recorded from real ones", () => {
    const seen = new Set(exporterLines());
    const parts = needed.filter(
      ({ jobs: shows, mayLack }) => mayLack === undefined && !serviceJobs.includes(shows[0] ?? ""),
    );
    // Files that node-exporter reads are written by programs of our own, and tested there.
    const files = /^(host_|credential_|container_info$|backup_|volume_|wal_archive_)/;
    const unseen = parts.filter(
      ({ metric, jobs: shows }) => !files.test(metric) && !shows.some((job) => seen.has(`${job} ${metric}`)),
    );
    expect(unseen.map(({ metric }) => metric)).toEqual([]);
    expect(parts.length).toBeGreaterThan(40);
  });

  test("without a job that exposes them are a fault of the table", () => {
    expect(() => neededMetrics([{ name: "Strange", expr: "strange_total > 1" }], [])).toThrow(
      /Strange: no row of `exposers` .* says which jobs expose strange_total/,
    );
  });

  test("have no row in the table that no alert needs", () => {
    const fits = (pattern: string, name: string) =>
      pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
    const idle = exposers
      .flatMap(({ metrics }) => metrics)
      .filter((pattern) => ![...names].some((name) => fits(pattern, name)));
    expect(idle).toEqual([]);
  });
});

describe("an alert on what does not happen", () => {
  test.each(["NoOrdersProcessed", "LogsMissing", "OrderQueueGrowing"])("%s is silent if no program counts", (name) => {
    expect(byName.get(name)?.expr).not.toMatch(/or vector|absent|or 0 \*/);
  });
});
