import { readFileSync } from "node:fs";

/** Shell functions by which a server chooses whether it takes the passwords of the generation before as well. */
export const overlapScript = readFileSync(new URL("overlap.sh", import.meta.url), "utf8");
