// The entry is JavaScript: Pulumi compiles a pack's TypeScript entry by ts-node, checking all types at every start. Node alone
// runs what is imported from here.
import { createRequire } from "node:module";
import { nodeFault } from "../components/nodeVersion.js";

const fault = nodeFault();
if (fault !== undefined) {
  console.error(fault);
  process.exit(1);
}
// Not `await import`: Pulumi requires this file, and what is required cannot wait.
createRequire(import.meta.url)("./pack.ts");
