import { metricsNeeded } from "../../components/observability/alerts/rules.ts";
import { type Application, mappingsOf } from "../../components/platform/applications/application.ts";
import type { ServiceName } from "../../components/platform/catalogue.ts";

/** What the alerts read of a service, a histogram's series as that histogram. */
export function neededOf(service: ServiceName) {
  const needed = metricsNeeded({ jobs: [] }).filter(({ jobs }) => jobs.includes(service));
  const families = Map.groupBy(needed, ({ metric }) => metric.replace(/_(bucket|sum|count)$/, ""));
  return [...families].map(([name, rows]) => ({ name, labels: [...new Set(rows.flatMap(({ labels }) => labels))] }));
}

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

/** The names under which Prometheus stores what an application shows. */
function platformNames(
  shown: ReadonlyMap<string, ReadonlySet<string>>,
  application: Application,
  service: ServiceName,
) {
  const named = new Map(shown);
  for (const { metric, as = metric, labels = {} } of mappingsOf(application, service)) {
    const has = shown.get(metric);
    if (has === undefined) continue;
    named.delete(metric);
    named.set(as, new Set([...has].map((label) => labels[label] ?? label)));
  }
  return named;
}

/** What a service's page of metrics lacks, each in a few words. */
export function missingMetrics(service: ServiceName, page: string, application: Application): string[] {
  const shown = platformNames(shownMetrics(page), application, service);
  return neededOf(service).flatMap(({ name, labels }) => {
    const has = shown.get(name);
    if (has === undefined) return [name];
    // A metric without a series yet shows no label.
    const without = has.size === 0 ? [] : labels.filter((label) => !has.has(label));
    return without.length === 0 ? [] : [`${name} without the label ${without.join(", ")}`];
  });
}
