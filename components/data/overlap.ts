import { readFileSync } from "node:fs";

/** Shell functions by which a server chooses whether it accepts the passwords of the previous generation as well. */
export const overlapScript = readFileSync(new URL("overlap.sh", import.meta.url), "utf8");
