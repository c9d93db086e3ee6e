/** One service's image, as in the stack's config. */
export interface ServiceRelease {
  readonly image: string;
  readonly command?: readonly string[];
  readonly health?: readonly string[];
  /** The entry point and command that the image had when it was pinned. */
  readonly recorded?: { readonly entrypoint: readonly string[]; readonly command: readonly string[] };
}

/** An image by its digest, and, where it is known, the entry point and command that it has. */
export type PinnedImage =
  | string
  | { readonly image: string; readonly entrypoint: readonly string[]; readonly command: readonly string[] };

/** A service's release with another image. What was recorded of the former one does not hold for it. */
export function pinned(before: ServiceRelease | undefined, to: PinnedImage): ServiceRelease {
  const { recorded: _, image: __, ...kept } = before ?? { image: "" };
  if (typeof to === "string") return { image: to, ...kept };
  const { image, ...recorded } = to;
  return { image, ...kept, recorded };
}

/** `release` of a stack's config: by service name, its image pinned by digest. */
export type Release = Readonly<Record<string, ServiceRelease>>;

/** What changes for one service. */
export interface ReleaseChange {
  readonly service: string;
  /** undefined: the service runs the stand-in. */
  readonly from: ServiceRelease | undefined;
  readonly to: ServiceRelease | undefined;
}

/** A form in which equal releases are equal texts, whatever the order of their keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

export function sameRelease(a: Release, b: Release): boolean {
  return canonical(a) === canonical(b);
}

/** The services whose image, command or health check differs. */
export function releaseChanges(from: Release, to: Release): readonly ReleaseChange[] {
  const services = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort();
  return services
    .map((service) => ({ service, from: from[service], to: to[service] }))
    .filter((change) => canonical(change.from ?? null) !== canonical(change.to ?? null));
}

/** As much of a digest as tells two apart by eye. */
const DIGEST_SHOWN = 12;

/** `repository@12 hex digits`; a full digest fills a line, and the file has it. */
export function shortImage(release: ServiceRelease | undefined): string {
  if (release === undefined) return "(none)";
  const [repository = "", digest = ""] = release.image.split("@sha256:");
  return `${repository}@${digest.slice(0, DIGEST_SHOWN)}`;
}

/** The changes as a table for a terminal. */
export function changeTable(changes: readonly ReleaseChange[]): string {
  const rows = [
    ["service", "now", "then"],
    ...changes.map(({ service, from, to }) => {
      const same = from !== undefined && to !== undefined && from.image === to.image;
      return [
        service,
        shortImage(from),
        same ? "the same image, started or asked for its health another way" : shortImage(to),
      ];
    }),
  ];
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = [width(0), width(1)];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
