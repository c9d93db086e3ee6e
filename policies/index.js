// The entry is JavaScript: Pulumi compiles a pack's TypeScript entry by ts-node, checking all types at every start. Node alone
// runs what is imported from here.
import "./pack.ts";
