import type { FileTree } from "../../runtime/files.ts";
import type { Settings } from "../../settings.ts";
import type { ServiceName } from "../catalogue.ts";
import type { Start } from "../release.ts";

/** How an application's images are run: what its owner would otherwise write into `release` for each of them. */
export interface Application {
  readonly purpose: string;
  /** By service; what a row does not say is the image's own, or the catalogue's. */
  readonly services: Readonly<Partial<Record<ServiceName, Start>>>;
  /** The YAML files below /etc/autollm, the same for every service. */
  readonly files: (settings: Pick<Settings, "symbols">) => FileTree;
}
