import { Environment } from "../../../services/reference/src/config.ts";
import { Log } from "../../../services/reference/src/log.ts";
import { commonMetrics, Metrics } from "../../../services/reference/src/metrics.ts";

/** A log that is read by the test. */
export function quietLog(): { log: Log; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  return { log: new Log("test", "debug", (line) => lines.push(JSON.parse(line) as Record<string, unknown>)), lines };
}

export function testMetrics() {
  const metrics = new Metrics();
  return { metrics, common: commonMetrics(metrics, "test") };
}

export function environment(values: Record<string, string>): Environment {
  return new Environment(values);
}
