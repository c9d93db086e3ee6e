import { type ImageName, images, type ThirdPartyImage } from "../../components/images.ts";
import { catalogue, type LocalImage, localImageFor } from "../bootstrap/images/catalogue.ts";
import { type GoProgram, goPrograms } from "../bootstrap/images/goPrograms.ts";

/** The version that an image's reference names: `caddy:2.11.4-alpine` is 2.11.4. */
export function officialVersion({ reference }: Pick<ThirdPartyImage, "reference">): string {
  const [version] = /(?<=:v?)\d[\d.]*\d/.exec(reference) ?? [];
  if (version === undefined) throw new Error(`${reference} names no version`);
  return version;
}

/** The version that the local image of a third-party one must tell of itself. */
export function localVersion(name: ImageName, image: LocalImage): string {
  return image.differs?.version ?? officialVersion(images[name]);
}

function origin(image: LocalImage): string {
  if (image.kind !== "go") return "Debian's package";
  const { module }: GoProgram = goPrograms[image.program];
  return module === undefined ? "Go modules" : `Go module \`${module.split("@")[1]}\``;
}

/** The table of docs/images.md: each third-party image, and what stands for it if no registry is reachable. */
export function imagesTable(): string {
  const rows = (Object.keys(images) as ImageName[]).map((name) => {
    const official = officialVersion(images[name]);
    const local = localImageFor(name);
    if (local === undefined)
      return [name, official, "none", "a program in the backup's image reads NATS's HTTP monitoring"];
    if (local !== name)
      return [
        name,
        official,
        `a role of \`${local}\``,
        "everything but a TCP listener: its installer is its vendor's alone",
      ];
    const image: LocalImage = catalogue[local];
    const version = image.differs === undefined ? official : `${image.differs.version} (${image.differs.why})`;
    return [name, official, `${version}, ${origin(image)}`, image.lacks ?? ""];
  });
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const head = ["image", "official", "local", "what the local one lacks"];
  return [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
}
