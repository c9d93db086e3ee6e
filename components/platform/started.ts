import { type CredentialName, credentialSpec } from "../credentials/catalogue.ts";
import { type Outside, outsideSettings } from "../outside.ts";
import type { Settings } from "../settings.ts";
import type { Application } from "./applications/application.ts";
import { applications } from "./applications/index.ts";
import { type ServiceName, serviceNames } from "./catalogue.ts";
import { fill } from "./references.ts";
import type { Start } from "./release.ts";

/** The application whose image a service runs; a stand-in follows the platform's conventions. */
export function applicationOf(service: ServiceName, settings: Pick<Settings, "application" | "release">): Application {
  return settings.release[service] === undefined ? applications.conventions : applications[settings.application];
}

type Declared = Pick<Settings, "application" | "release">;

/** How a service is started with the application's image, whether or not a release names one. */
export function declaredStart(service: ServiceName, { application, release }: Declared): Start {
  const { image: _, recorded: __, ...said } = release[service] ?? { image: "" };
  const row: Start | undefined = applications[application].services[service];
  return {
    ...row,
    ...said,
    environment: { ...row?.environment, ...said.environment },
    writable: { ...row?.writable, ...said.writable },
    messaging: { ...row?.messaging, ...said.messaging },
  };
}

/** The services that write to a volume of another's, by the path at which both have it. */
export function sharers(
  owner: ServiceName,
  settings: Declared,
): { readonly service: ServiceName; readonly path: string }[] {
  return serviceNames.flatMap((service) =>
    Object.entries(startOf(service, settings).writable ?? {}).flatMap(([path, is]) =>
      "volume" in is && is.volume === owner ? [{ service, path }] : [],
    ),
  );
}

/**
 * How a service's own image is started: the config takes precedence over the application's table. Of variables, writable
 * paths and rights in NATS each one counts by itself; a stand-in is started by the platform's conventions.
 */
export function startOf(service: ServiceName, settings: Declared): Start {
  return settings.release[service] === undefined ? {} : declaredStart(service, settings);
}

/**
 * What is wrong with the variables of the services that run their own images, by the config: a reference within a longer
 * text to something not supplied. A variable that is only such a reference is left out, and is no fault.
 */
export function referenceFaults(
  settings: Declared & Outside,
  supplied: ReadonlySet<CredentialName>,
): (readonly [key: string, problem: string])[] {
  const lacks = (name: CredentialName) => credentialSpec(name).kind === "supplied" && !supplied.has(name);
  return serviceNames.flatMap((service) =>
    Object.entries(startOf(service, settings).environment ?? {}).flatMap(([variable, text]) => {
      try {
        fill(text, ({ kind, name }) => {
          if (kind === "setting") return outsideSettings[name]?.(settings);
          return kind === "credential" && lacks(name as CredentialName) ? undefined : "";
        });
        return [];
      } catch (error) {
        return [[`release.${service}.environment.${variable}`, error instanceof Error ? error.message : ""] as const];
      }
    }),
  );
}
