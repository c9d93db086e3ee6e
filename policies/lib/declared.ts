import { z } from "zod";
import { type ApplicationName, applicationNames } from "../../components/platform/applications/index.ts";
import { type ServiceName, serviceNames } from "../../components/platform/catalogue.ts";
import { releaseSchema } from "../../components/platform/release.ts";
import { sharers, startOf } from "../../components/platform/started.ts";
import { stackConfig } from "./own.ts";

const schema = z.object({
  application: z.enum(applicationNames),
  release: z.partialRecord(z.enum(serviceNames), releaseSchema),
});

/** What the stack's config says of the application. What cannot be read declares nothing: the program refuses it. */
function declared(): z.infer<typeof schema> {
  const nothing = { application: "conventions" satisfies ApplicationName, release: {} } as const;
  const { "autollm:application": application = nothing.application, "autollm:release": release = "{}" } = stackConfig();
  try {
    return schema.safeParse({ application, release: JSON.parse(release) }).data ?? nothing;
  } catch {
    return nothing;
  }
}

/** A service that writes to another's volume, at the path at which both have it. */
export interface Shared {
  readonly owner: ServiceName;
  readonly service: ServiceName;
  readonly path: string;
}

/** The volumes that services share, by the stack's config and the application's table. */
export function sharing(): readonly Shared[] {
  const settings = declared();
  return serviceNames.flatMap((owner) => sharers(owner, settings).map((each) => ({ owner, ...each })));
}

/** Whether a service's entry in the config or the application's table gives it the way out. */
export const declaredEgress = (service: ServiceName): boolean => startOf(service, declared()).egress === true;
