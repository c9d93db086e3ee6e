import { readFileSync } from "node:fs";
import { agesAsMetrics } from "../../../components/credentials/ages.ts";
import { recordingGroups } from "../../../components/observability/alerts/rules.ts";
import { killSwitchText } from "../../../components/platform/killSwitch.ts";
import { CONTAINER_INFO } from "../../../components/runtime/containerNames.ts";
import { DAMAGED_FILES } from "../../../services/backup/src/damaged.ts";
import { backupMetrics as ofBackups } from "../../../services/backup/src/status.ts";
import { walMetrics } from "../../../services/backup/src/walPage.ts";
import * as reference from "../../../services/reference/src/metrics.ts";

/** The names under which a metric of prom-client is scraped. */
async function referenceMetrics(): Promise<readonly string[]> {
  const { Metrics, ...groups } = reference;
  const metrics = new Metrics();
  for (const group of Object.values(groups)) group(metrics, "test");
  const described = await metrics.registry.getMetricsAsJSON();
  return described.flatMap(({ name, type }) =>
    String(type) === "histogram" ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
  );
}

/** `JOB NAME`, as the exporters of the local stack were seen to show them. */
export const exporterLines = (): readonly string[] =>
  readFileSync(new URL("exporter-metrics.txt", import.meta.url), "utf8")
    .trim()
    .split("\n");

/** What the exporters of the local stack were seen to show. */
export const exporterMetrics = (): readonly string[] => exporterLines().map((line) => line.split(" ")[1] ?? "");

const backupMetrics = [...ofBackups, DAMAGED_FILES, ...walMetrics];
/** Prometheus makes these itself. */
const ownMetrics = ["up", "ALERTS"];
/** The last step of an `up` writes it. */
const nameMetrics = [CONTAINER_INFO];
/** `./autollm kill-switch on` writes it. */
const switchMetrics = [...killSwitchText({ reason: "", at: "" }).matchAll(/^# TYPE (\S+)/gm)].map(
  ([, name]) => name ?? "",
);
/** What the host's own programs write for node-exporter. */
const hostMetrics = ["upgrades.sh", "watchdog.sh", "firewall-watch.sh"].flatMap((file) => {
  const text = readFileSync(new URL(`../../../components/host/steps/${file}`, import.meta.url), "utf8");
  return [...text.matchAll(/# TYPE (\S+)/g)].map(([, name]) => name ?? "");
});
const ageMetrics = [...agesAsMetrics("redis 1 90 0").matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? "");

/** Every metric that a query may name. */
export async function knownMetrics(): Promise<ReadonlySet<string>> {
  const recorded = recordingGroups({ jobs: [] }).flatMap(({ rules }) => rules.map(({ record }) => record));
  return new Set([
    ...(await referenceMetrics()),
    ...exporterMetrics(),
    ...backupMetrics,
    ...ageMetrics,
    ...hostMetrics,
    ...nameMetrics,
    ...switchMetrics,
    ...ownMetrics,
    ...recorded,
  ]);
}
