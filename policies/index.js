// The entry is JavaScript: Pulumi compiles a pack's TypeScript entry by ts-node, checking all types at every start. Node alone
// runs what is imported from here.
import { nodeFault } from "../components/nodeVersion.js";

const fault = nodeFault();
if (fault !== undefined) {
  console.error(fault);
  process.exit(1);
}
// Not awaited: Pulumi loads this file by `require`, which refuses a module that waits while it is loaded.
import("./pack.ts");
