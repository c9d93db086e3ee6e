// The beginning of `./autollm`, in plain JavaScript: a Node that is too old for TypeScript gets one clear line.
import { nodeFault } from "../components/nodeVersion.cjs";

const fault = nodeFault();
if (fault !== undefined) {
  console.error(`error: ${fault}`);
  process.exit(1);
}
const { runCommand } = await import("./main.ts");
await runCommand(process.argv.slice(2));
