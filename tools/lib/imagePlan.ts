import type { Build } from "../../components/platform/applications/application.ts";
import { serviceNames } from "../../components/platform/catalogue.ts";

/** One image that is built. */
export interface ImageBuild {
  readonly service: string;
  readonly dockerfile: string;
  readonly context: string;
  readonly image: string;
}

/** What is built of an application, a service of the catalogue each. */
export function imagePlan({ repository, branch, context, dockerfile, image = (service) => service }: Build): {
  readonly repository: string;
  readonly branch: string;
  readonly images: readonly ImageBuild[];
} {
  const images = serviceNames.map((service) => ({
    service,
    dockerfile: dockerfile(service),
    context,
    image: image(service),
  }));
  return { repository, branch, images };
}
