import { parseArgs } from "node:util";
import { main, say } from "../lib/log.ts";
import { ensureEngine } from "./engine.ts";

const HELP = `usage: node tools/engine/main.ts

Finds the Pulumi CLI, or builds it with its language host and providers from Go modules, and prints its path.`;

await main(async () => {
  const { values } = parseArgs({ options: { help: { type: "boolean", short: "h" } } });
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const engine = await ensureEngine();
  say(`${engine.origin} engine`);
  process.stdout.write(`${engine.pulumi}\n`);
  return 0;
});
