import { expect, it } from "vitest";
import { serviceNames } from "../../../components/platform/catalogue.ts";
import type { Daemon } from "../../../tools/lib/daemon.ts";
import { applicationVolumes } from "../../../tools/lib/restore/restore.ts";

/** A daemon whose containers, each called as its service, have these volumes. */
const daemon = (mounts: Readonly<Record<string, readonly string[]>>) =>
  ({
    stack: "mine",
    ask: async (...args: readonly string[]) =>
      JSON.stringify(
        args
          .filter((name) => serviceNames.some((service) => service === name))
          .map((name) => ({
            Image: `image-${name}`,
            Config: { User: "1:1" },
            Mounts: (mounts[name] ?? []).map((Name) => ({ Type: "volume", Name, Destination: "/app/data" })),
          })),
      ),
  }) as unknown as Daemon;
const saved = (...names: readonly string[]) => ({ volumes: names.map((name) => ({ name, changed: [] })) });
const volume = "app-gateway-api-app-data";

it("what an application keeps in volumes of its own is restored as its owner, no matter who mounts it", async () => {
  const place = { name: `${volume}-0a1b2c3`, user: "70101:70101" };
  for (const service of ["gateway-api", "risk-manager"] as const) {
    const into = daemon({ [service]: [`${volume}-0a1b2c3`, `${volume}-old-0a1b2c3`] });
    const found = await applicationVolumes(into, saved("reports", volume), (name) => name);
    expect(found).toEqual([[volume, expect.objectContaining({ ...place, image: `image-${service}` })]]);
  }
});

it("a volume for which the stack has no place is left out, and told", async () => {
  expect(await applicationVolumes(daemon({}), saved(volume), (name) => name)).toEqual([]);
});
