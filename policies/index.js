// The entry is JavaScript: Pulumi compiles a pack's TypeScript entry by ts-node, checking all types at every start. Node alone
// runs what is imported from here.
import { nodeFault } from "../components/nodeVersion.js";

const fault = nodeFault();
if (fault !== undefined) {
  console.error(fault);
  process.exit(1);
}
await import("./pack.ts");
