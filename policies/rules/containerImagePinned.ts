import { pin, pinProblem } from "../lib/images.ts";
import { environment, label } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown, text } from "../lib/value.ts";

export const containerImagePinned: ResourceRule = {
  name: "container-image-pinned",
  title: "A container runs an image that is pinned by digest; a locally built one only in environment local",
  level: "mandatory",
  severity: "high",
  why: "What was tested must be what runs. And Docker reads a tag back as an id, so every update would replace the container.",
  fix: "set image to RemoteImage.imageId and the label autollm.image to repository:tag@sha256:digest",
  types: [CONTAINER],
  *check(subject) {
    const local = environment(subject) === "local";
    const image = text(subject.props.image);
    const imagePin = image === undefined ? "id" : pin(image);
    if (imagePin === "tag" || imagePin === "latest" || imagePin === "none") {
      yield { key: "image", problem: pinProblem[imagePin] };
    }
    const reference = label(subject, "autollm.image");
    if (isUnknown(reference)) return;
    if (reference === undefined || reference === "") {
      if (imagePin !== "digest")
        yield { key: "labels autollm.image", problem: "is missing, so the image's reference is unknown" };
      return;
    }
    const pinned = pin(reference);
    if (pinned === "digest") return;
    if (pinned === "local") {
      if (!local)
        yield {
          key: "labels autollm.image",
          problem: "is an image built on this machine",
          fix: "use imageSource: registry outside environment local",
        };
    } else if (pinned === "id" || pinned === "latest" || pinned === "none" || !local) {
      yield {
        key: "labels autollm.image",
        problem: pinned === "id" ? "is an id that cannot be looked up" : pinProblem[pinned],
      };
    }
  },
};
