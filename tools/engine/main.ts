import { command } from "../lib/command.ts";
import { say } from "../lib/log.ts";
import { ensureEngine } from "./engine.ts";

const HELP = `usage: npx node tools/engine/main.ts

Finds the Pulumi CLI, or builds it with its language host and providers from Go modules, and prints its path.`;

await command({ help: HELP, options: {}, changes: "nothing" }, async () => {
  const engine = await ensureEngine();
  say(`${engine.origin} engine`);
  process.stdout.write(`${engine.pulumi}\n`);
  return 0;
});
