// The entry is JavaScript: Pulumi compiles a pack's TypeScript entry by ts-node, checking all types at every start. Node alone
// runs what is imported from here, and a Node that is too old for TypeScript gets one clear line.
import { nodeFault } from "../components/nodeVersion.cjs";

const fault = nodeFault();
if (fault !== undefined) {
  console.error(fault);
  process.exit(1);
}
// Nobody waits for it here: Pulumi requires this module, and can require none that waits.
void import("./pack.ts");
