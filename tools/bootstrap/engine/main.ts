import { command } from "../../lib/command.ts";
import { say } from "../../lib/log.ts";
import { ensureEngine } from "./engine.ts";

await command(
  {
    about:
      "Finds the Pulumi CLI, or builds it with its language host and providers from Go modules, and prints its path.",
    options: {},
    changes: "nothing",
  },
  async () => {
    const engine = await ensureEngine();
    say(`${engine.origin} engine`);
    process.stdout.write(`${engine.pulumi}\n`);
    return 0;
  },
).run("npx node tools/bootstrap/engine/main.ts", process.argv.slice(2));
