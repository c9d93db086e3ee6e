import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type ImageName, imageNames, images, storeImages } from "../../components/images.ts";
import { isPart, parts } from "../../components/parts.ts";
import { runProduction } from "./lib/platform.ts";

interface Rule {
  readonly matchPackageNames?: readonly string[];
  readonly matchUpdateTypes?: readonly string[];
  readonly dependencyDashboardApproval?: boolean;
}

const { packageRules } = JSON.parse(readFileSync(new URL("../../renovate.json", import.meta.url), "utf8")) as {
  readonly packageRules: readonly Rule[];
};
const held = packageRules.find(({ dependencyDashboardApproval }) => dependencyDashboardApproval === true);

/** What the bot calls an image: its repository, which the custom manager takes as `depName`. */
const packageOf = (name: ImageName) => images[name].reference.replace(/:[^:]*$/, "");

interface Mounts {
  readonly mounts?: readonly { readonly type: string; readonly readOnly?: boolean }[];
}

describe("the update bot", () => {
  it("proposes no major version of a program that keeps data in a volume, unless a person asks for it", async () => {
    const recording = await runProduction();
    const withVolumes = recording
      .ofType("docker:index/container:Container")
      .filter(({ inputs }) =>
        (inputs as Mounts).mounts?.some(({ type, readOnly }) => type === "volume" && readOnly !== true),
      )
      .flatMap(({ name }) => (isPart(name) ? [parts[name].image] : []))
      .filter((image): image is ImageName => (imageNames as readonly string[]).includes(image));
    const stores = [...new Set([...storeImages, ...withVolumes])];
    expect(stores).toEqual(expect.arrayContaining(["postgres", "redis", "nats", "grafana", "loki", "prometheus"]));
    expect([...(held?.matchPackageNames ?? [])].sort()).toEqual(stores.map(packageOf).sort());
    expect(held?.matchUpdateTypes).toEqual(["major"]);
  });
});
