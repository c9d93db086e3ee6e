import type { ServiceName } from "../../../../components/platform/catalogue.ts";
import type { Service } from "../service.ts";
import { startAgents } from "./agents.ts";
import { startDataIngestor } from "./data-ingestor.ts";
import { startExecution } from "./execution.ts";
import { startFeatures } from "./features.ts";
import { startGateway } from "./gateway.ts";
import { startLedger } from "./ledger.ts";
import { startNewsIngestor } from "./news-ingestor.ts";
import { startReporter } from "./reporter.ts";
import { startRisk } from "./risk.ts";

type Start = (service: Service) => void;

/** What each service does. One that is not here does what its entry says: it connects, listens on its subjects and serves. */
const roles: Partial<Readonly<Record<ServiceName, Start>>> = {
  "gateway-api": startGateway,
  "data-ingestor": startDataIngestor,
  "news-ingestor": startNewsIngestor,
  "feature-pipeline": startFeatures,
  "llm-agents": startAgents,
  "risk-manager": startRisk,
  "execution-ib": (service) => startExecution(service, "ib"),
  "execution-crypto": (service) => startExecution(service, "crypto"),
  "portfolio-ledger": startLedger,
  reporter: startReporter,
};

function startPlain(service: Service): void {
  for (const subject of service.config.spec?.subscribes ?? []) {
    service.bus.subscribe(subject, async (_payload, from) => service.log.debug("received", { subject: from }));
  }
}

export function startRole(service: Service): void {
  const { role } = service.config;
  const start = role === "ib-gateway" ? undefined : roles[role];
  (start ?? startPlain)(service);
}
