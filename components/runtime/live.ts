import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../settings.ts";
import { keyedDigest } from "./files.ts";

/**
 * The labels by which the policies know that live trading was confirmed, or which exchanges' keys are of a sandbox. Labels are
 * shown in previews and by Docker, so the account is in them as a hash, under a key without which the few possible accounts
 * cannot be tried.
 */
export function liveLabels(
  { live, liveConfirm, sandbox }: Settings["trading"],
  digestKey: pulumi.Input<string>,
): Record<string, pulumi.Input<string>> {
  if (!live || liveConfirm === undefined)
    return sandbox.length === 0 ? {} : { "autollm.sandbox": [...sandbox].sort().join(",") };
  const hashed = pulumi.output(digestKey).apply((key) => keyedDigest(key, liveConfirm));
  return { "autollm.live": "true", "autollm.liveConfirm": pulumi.unsecret(hashed) };
}
