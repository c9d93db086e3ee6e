// Pulumi's entry, in plain JavaScript: a Node that is too old for TypeScript, or another system than Linux, gets one clear line. The program is index.ts.
import { nodeFault, systemFault } from "./components/nodeVersion.cjs";

// Pulumi takes the outputs of a program that is loaded later from a default export alone.
export default async () => {
  const fault = nodeFault() ?? systemFault();
  if (fault !== undefined) {
    console.error(fault);
    process.exit(1);
  }
  return { ...(await import("./index.ts")) };
};
