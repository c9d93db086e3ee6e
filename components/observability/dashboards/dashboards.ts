import { llmPerformance } from "./llm.ts";
import { marketData } from "./market.ts";
import type { Dashboard } from "./panel.ts";
import { riskMonitoring } from "./risk.ts";
import { systemHealth } from "./system.ts";
import { tradingOperations } from "./trading.ts";

/** The dashboards, in the order of a reader's interest. */
export const dashboards: readonly Dashboard[] = [
  tradingOperations,
  riskMonitoring,
  systemHealth,
  llmPerformance,
  marketData,
];
