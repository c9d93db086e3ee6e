import { pin, pinProblem } from "../lib/images.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { REMOTE_IMAGE } from "../lib/types.ts";
import { isMissing, record, text } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "image-pinned";

export const imagePinned: ResourceRule = {
  name: NAME,
  title: "An image is pulled by its digest",
  level: "mandatory",
  severity: "high",
  why: "A tag can name another image tomorrow: then what runs is not what was tested, and a stolen registry account reaches the host.",
  fix: "name it as repository:tag@sha256:digest (docker buildx imagetools inspect prints the digest)",
  types: [REMOTE_IMAGE],
  *check({ props }) {
    const name = text(props.name);
    if (name === undefined || !isMissing(record(props.build).context)) return;
    const pinned = pin(name);
    if (pinned === "digest" || pinned === "id" || pinned === "local" || waived(NAME, name)) return;
    yield { key: `name ${name}`, problem: pinProblem[pinned] };
  },
};
