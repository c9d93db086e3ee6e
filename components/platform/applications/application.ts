import type { FileTree } from "../../runtime/files.ts";
import type { Settings } from "../../settings.ts";
import type { ServiceName } from "../catalogue.ts";
import type { Start } from "../release.ts";

/** An application's own metric name, for the platform's dashboards, alerts and objectives. */
export interface MetricMapping {
  /** The services that expose it. Default: all of them. */
  readonly services?: readonly ServiceName[];
  /** Its own name; a histogram's without `_bucket`, `_sum` and `_count`. */
  readonly metric: string;
  /** The platform's name for it. Default: the same. A service must not expose both. */
  readonly as?: string;
  /** Its own labels, each with the platform's name for it. */
  readonly labels?: Readonly<Record<string, string>>;
  /** By the platform's label: its own values, each with the platform's. Two series must not become one. */
  readonly values?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A page of the application's gateway that the smoke tests request, and the statuses that are accepted. */
export interface SmokeRoute {
  readonly path: string;
  readonly expected: readonly number[];
}

/** Where an application's images are built from, by the workflow `images`. */
export interface Build {
  /** Its repository on GitHub, OWNER/NAME. */
  readonly repository: string;
  /** The branch that contains every commit that may be built: so every image contains reviewed code only. */
  readonly branch: string;
  /** The folder of the repository that is the build's context; `.` for its root. */
  readonly context: string;
  /** A service's Dockerfile, as a path from the repository's root. */
  readonly dockerfile: (service: ServiceName) => string;
  /** A service's image name in the registry. Default: the service's name. */
  readonly image?: (service: ServiceName) => string;
}

/** How an application's images are built and run: otherwise `release` would have to say it for each image. */
export interface Application {
  readonly purpose: string;
  /** By service; what a row leaves out is the image's own, or the catalogue's. */
  readonly services: Readonly<Partial<Record<ServiceName, Start>>>;
  /** Its own metric names. Default: the platform's. */
  readonly metrics?: readonly MetricMapping[];
  /** Absent if its images are built elsewhere. */
  readonly build?: Build;
  /** What the smoke tests request: a page that takes a token, and refuses a request without one. */
  readonly smoke: { readonly token: SmokeRoute };
  /** The YAML files below /etc/autollm, the same for every service. */
  readonly files: (settings: Pick<Settings, "symbols">) => FileTree;
}

/** What a table says about the metrics of one service. */
export const mappingsOf = ({ metrics = [] }: Application, service: ServiceName): readonly MetricMapping[] =>
  metrics.filter(({ services }) => services === undefined || services.includes(service));
