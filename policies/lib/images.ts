/** The prefix of images that tools/bootstrap/images builds; the key in their tag is a hash of what they were built from. */
const LOCAL = /^autollm\.local\/[a-z0-9._/-]+:[A-Za-z0-9_.-]+$/;
const ID = /^sha256:[0-9a-f]{64}$/;
const DIGEST = /@sha256:[0-9a-f]{64}$/;

export type Pin = "digest" | "id" | "local" | "tag" | "latest" | "none";

/** How precisely a reference names one image. */
export function pin(reference: string): Pin {
  if (ID.test(reference)) return "id";
  if (DIGEST.test(reference)) return "digest";
  const tag = /:([A-Za-z0-9_][\w.-]*)$/.exec(reference.split("/").at(-1) ?? "")?.[1];
  if (tag === undefined) return "none";
  if (tag.toLowerCase() === "latest") return "latest";
  return LOCAL.test(reference) ? "local" : "tag";
}

/** What is wrong with a reference that is not pinned, in words. */
export const pinProblem: Readonly<Record<"tag" | "latest" | "none", string>> = {
  tag: "is a tag without a digest",
  latest: "is latest",
  none: "has neither tag nor digest",
};
