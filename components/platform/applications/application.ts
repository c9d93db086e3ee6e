import type { FileTree } from "../../runtime/files.ts";
import type { Settings } from "../../settings.ts";
import type { ServiceName } from "../catalogue.ts";
import type { Start } from "../release.ts";

/** What an application measures under a name of its own, for the platform's dashboards, alerts and service level objectives. */
export interface MetricMapping {
  /** The services that show it. Default: all of them. */
  readonly services?: readonly ServiceName[];
  /** Its own name; a histogram's without `_bucket`, `_sum` and `_count`. */
  readonly metric: string;
  /** The platform's name for it. Default: the same. A service must not show both. */
  readonly as?: string;
  /** Its own labels, each with the platform's name for it. */
  readonly labels?: Readonly<Record<string, string>>;
  /** By the platform's label: its own values, each with the platform's. Two series must not become one. */
  readonly values?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A page of the application's gateway that the smoke tests ask for, and the statuses of which it must be answered with one. */
export interface SmokeRoute {
  readonly path: string;
  readonly expected: readonly number[];
}

/** Where an application's images are built from, by the workflow `images`. */
export interface Build {
  /** Its repository on GitHub, OWNER/NAME. */
  readonly repository: string;
  /** The branch that contains every commit that may be built: what nobody has reviewed is in no image. */
  readonly branch: string;
  /** The folder of the repository that is the build's context; `.` for its root. */
  readonly context: string;
  /** A service's Dockerfile, as a path from the repository's root. */
  readonly dockerfile: (service: ServiceName) => string;
  /** What a service's image is called in the registry. Default: as the service. */
  readonly image?: (service: ServiceName) => string;
}

/** How an application's images are built and run: what its owner would otherwise write into `release` for each of them. */
export interface Application {
  readonly purpose: string;
  /** By service; what a row does not say is the image's own, or the catalogue's. */
  readonly services: Readonly<Partial<Record<ServiceName, Start>>>;
  /** Its names for what the platform measures too. Default: they are the platform's. */
  readonly metrics?: readonly MetricMapping[];
  /** Absent where its owner builds the images elsewhere. */
  readonly build?: Build;
  /** What the smoke tests ask: a page that takes a token, which refuses a request without one. */
  readonly smoke: { readonly token: SmokeRoute };
  /** The YAML files below /etc/autollm, the same for every service. */
  readonly files: (settings: Pick<Settings, "symbols">) => FileTree;
}

/** What a table says about the metrics of one service. */
export const mappingsOf = ({ metrics = [] }: Application, service: ServiceName): readonly MetricMapping[] =>
  metrics.filter(({ services }) => services === undefined || services.includes(service));
