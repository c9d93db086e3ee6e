import type { SegmentName } from "../../../components/segments.ts";
import type { Member } from "../../../tools/docs/segments.ts";
import type { Recording } from "./mocks.ts";

/** The segments of each container, by the networks that it joins. */
export function membersOf(platform: Recording): Member[] {
  const segmentOf = (network: unknown) => String(network).replace(/^segment-(.+)-0123abc$/, "$1") as SegmentName;
  return platform.containers.map(([name, { networksAdvanced }]) => ({
    name,
    segments: (networksAdvanced ?? []).map((network) => segmentOf(network.name)),
  }));
}
