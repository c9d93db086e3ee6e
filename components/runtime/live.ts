import type { Settings } from "../settings.ts";

/** The labels by which the policies know that live trading was confirmed; none for paper. */
export function liveLabels({ live, liveConfirm }: Settings["trading"]): Record<string, string> {
  return live && liveConfirm !== undefined ? { "autollm.live": "true", "autollm.liveConfirm": liveConfirm } : {};
}
