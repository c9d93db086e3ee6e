import { type Config, ConfigurationError, loadConfig } from "./config.ts";
import { ownAddresses } from "./listen.ts";
import { Log, reason } from "./log.ts";
import { runBacktest } from "./roles/backtest.ts";
import { startIbGateway } from "./roles/ib-gateway.ts";
import { startRole } from "./roles/roles.ts";
import { Service } from "./service.ts";
import { startTracing } from "./tracing.ts";

/** sysexits(3): the configuration is wrong; starting again without a change cannot help. */
const EX_CONFIG = 78;
const STOP_LIMIT_MS = 9500;

/** Stops on the first SIGTERM or SIGINT, within the limit, and ends the process. */
function stopOnSignal(log: Log, stop: () => Promise<void>): void {
  let stopping = false;
  const begin = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info("stopping", { signal });
    setTimeout(() => {
      log.error("not stopped in time", { limit_ms: STOP_LIMIT_MS });
      process.exit(1);
    }, STOP_LIMIT_MS).unref();
    stop().then(
      () => {
        log.info("stopped");
        process.exit(0);
      },
      (error) => {
        log.error("stop failed", { error: reason(error) });
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", begin);
  process.on("SIGINT", begin);
}

async function run(config: Config, log: Log): Promise<void> {
  if (config.role === "backtest-engine") return await runBacktest(config, log);
  if (config.role === "ib-gateway") return stopOnSignal(log, await startIbGateway(config, log));
  const stopTracing = startTracing(config);
  const service = new Service(config);
  stopOnSignal(log, async () => {
    await service.stop();
    await stopTracing().catch((error) => log.warning("spans not sent", { error: reason(error) }));
  });
  // Routes first, then the listener: no request meets a half-made service.
  startRole(service);
  if (config.port !== null)
    log.info("listening", {
      port: await service.http.listen(config.port, await ownAddresses(config.env.list("HTTP_LISTEN"))),
    });
}

async function main(): Promise<void> {
  const config = loadConfig(process.env);
  const log = new Log(config.role, config.logLevel);
  if (config.live) {
    throw new ConfigurationError(
      "LIVE=1 (or TRADING_MODE=live): a reference stand-in trades nothing; name the real image",
    );
  }
  log.info("this is a reference stand-in: it serves, signs and counts like the real service, and trades nothing");
  await run(config, log);
}

main().catch((error: unknown) => {
  new Log("reference-service", "error").error(reason(error));
  process.exit(error instanceof ConfigurationError ? EX_CONFIG : 1);
});
