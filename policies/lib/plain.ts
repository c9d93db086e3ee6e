import { readFile } from "node:fs/promises";
import { UnknownValueError } from "@pulumi/policy";
import { type Props, UNKNOWN, type Value } from "./value.ts";

/** Longest file of an asset that is read. */
const MAX_ASSET_BYTES = 1024 * 1024;

/**
 * Copies properties out of the SDK's proxy, which throws at each touch of an unknown value: a policy would then be skipped
 * whole, and say so at every preview.
 */
export async function plain(value: unknown): Promise<Value> {
  if (value === null || typeof value !== "object") return value as Value;
  if (value instanceof Promise) return plain(await value);
  if ("__pulumiAsset" in value) return assetText(value);
  const entries = await Promise.all(
    Object.keys(value).map(async (key) => [key, await plainAt(value as Record<string, unknown>, key)] as const),
  );
  return Array.isArray(value) ? entries.map(([, element]) => element) : Object.fromEntries(entries);
}

export async function plainProps(props: Record<string, unknown>): Promise<Props> {
  return (await plain(props)) as Props;
}

async function plainAt(holder: Record<string, unknown>, key: string): Promise<Value> {
  try {
    return await plain(holder[key]);
  } catch (error) {
    if (error instanceof UnknownValueError) return UNKNOWN;
    throw error;
  }
}

/** The content that an asset brings along, so that a file hides nothing. */
async function assetText(asset: object): Promise<Value> {
  const { text, path } = asset as { text?: Promise<string> | string; path?: Promise<string> | string };
  if (text !== undefined) return text;
  if (path === undefined) return undefined;
  try {
    const content = await readFile(await path);
    return content.length > MAX_ASSET_BYTES ? undefined : content.toString();
  } catch {
    // A file that is not there is the engine's own error.
    return undefined;
  }
}
