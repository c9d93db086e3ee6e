import type { AlertCase } from "./cases.ts";
import { containerCases } from "./containers.ts";
import { dataCases, edgeCases, hostCases } from "./host.ts";
import { budgetsCases, servicesCases } from "./platform.ts";
import { ordersCases } from "./trading.ts";
import { watchingCases } from "./watching.ts";

/** For every alert, what makes it fire and what must not. */
export const alertCases: readonly AlertCase[] = [
  ...ordersCases,
  ...servicesCases,
  ...hostCases,
  ...containerCases,
  ...dataCases,
  ...edgeCases,
  ...watchingCases,
  ...budgetsCases,
];
