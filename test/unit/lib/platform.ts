import { vi } from "vitest";
import { imageNames } from "../../../components/images.ts";
import { type Recording, type RunOptions, record } from "./mocks.ts";

// A run takes half a second of CPU: much longer on a machine that does other work as well.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const localImages = Object.fromEntries(
  [...imageNames, "reference", "backup"].map((name) => [name, `autollm.local/${name}:0123456789abcdef`]),
);

/** The config of a local stack, as `npm run up` completes it on a machine without a registry. */
export const localConfig: Readonly<Record<string, string>> = {
  environment: "local",
  imageSource: "local",
  localImages: JSON.stringify(localImages),
};

/** Runs the whole program, afresh each time: its modules too, since index.ts does its work when it is imported. */
export async function runPlatform({ config = localConfig, ...options }: RunOptions = {}): Promise<Recording> {
  vi.resetModules();
  return record(async () => ({ ...(await import("../../../index.ts")) }), { config, ...options });
}
