import { ibApiPort } from "./broker/ibPort.ts";
import { EVERYWHERE, isPart, type Listening, openIn, parts } from "./parts.ts";
import { isServiceName, services } from "./platform/catalogue.ts";
import { type SegmentName, serviceSeats } from "./segments.ts";

function listening(workload: string, standIn: boolean): Listening {
  if (isServiceName(workload)) {
    const { port } = services[workload];
    if (port === null) return {};
    return Object.fromEntries(serviceSeats(workload).serves.map((segment) => [segment, [port]]));
  }
  if (workload === "ib-gateway") return { [EVERYWHERE]: [ibApiPort(true, standIn), ibApiPort(false, standIn)] };
  if (!isPart(workload)) throw new Error(`${workload}: is neither a service nor in components/parts.ts`);
  return parts[workload].ports;
}

/**
 * The ports on which a workload can be reached in a segment that it joins.
 * @param standIn whether IB Gateway is the stand-in
 * @throws for an unknown workload
 */
export function portsIn(workload: string, segment: SegmentName, standIn: boolean): readonly number[] {
  return [...new Set(openIn(listening(workload, standIn), segment))].sort((a, b) => a - b);
}
