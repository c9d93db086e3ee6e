import { beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import type { Part, PartName } from "../../components/parts.ts";
import { type Recording, record } from "./lib/mocks.ts";
import { localConfig } from "./lib/platform.ts";

const NAME = "chrony-exporter";

/** What others must know of a new part: its row. */
const row: Part = {
  uid: 70_047,
  image: "node-exporter",
  segments: ["scrape", "postgres"],
  ports: { scrape: [9123] },
  credentials: ["postgres-exporter"],
  metrics: [{ port: 9123, path: "/figures" }],
};

// The row joins the table before any other module reads it, as if it stood in the source.
vi.mock("../../components/parts.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../components/parts.ts")>();
  Object.assign(original.parts, { [NAME]: row });
  return { ...original, partNames: Object.keys(original.parts) };
});

/** What its container runs: its entry in components/observability/exporters.ts. */
vi.mock("../../components/observability/exporters.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../components/observability/exporters.ts")>();
  const { runPart } = await import("../../components/runtime/part.ts");
  class Exporters extends original.Exporters {
    constructor(...[name, args, opts]: ConstructorParameters<typeof original.Exporters>) {
      super(name, args, opts);
      const password = args.credentials.require(NAME, "postgres-exporter");
      runPart(
        NAME as PartName,
        args,
        { command: ["/bin/chrony_exporter"], deploy: "rolling", memory: 64, files: { "/run/secrets": { password } } },
        { parent: this },
      );
    }
  }
  return { ...original, Exporters };
});

let platform: Recording;
beforeAll(async () => {
  platform = await record(async () => ({ ...(await import("../../index.ts")) }), { config: localConfig });
});

describe("a new part, as one row", () => {
  it("runs its image as a user of its own, in its segments, and is found by its name where it has a port", () => {
    const container = platform.container(NAME);
    expect(container).toMatchObject({ user: "70047:70047", hostname: `${NAME}-host`, readOnly: true });
    expect(container.image).toBe(platform.container("node-exporter").image);
    const aliases = Object.fromEntries((container.networksAdvanced ?? []).map(({ name, aliases }) => [name, aliases]));
    expect(aliases).toEqual({
      "segment-scrape-0123abc": [NAME, `${NAME}.scrape`],
      "segment-postgres-0123abc": [`${NAME}.postgres`],
    });
  });

  it("is scraped, and the alerts watch it", () => {
    const files = platform.files("prometheus");
    const config = parse(files["etc-prometheus/prometheus.yml"] ?? "") as { scrape_configs: { job_name: string }[] };
    expect(config.scrape_configs.find(({ job_name }) => job_name === NAME)).toEqual({
      job_name: NAME,
      metrics_path: "/figures",
      static_configs: [{ targets: [`${NAME}:9123`] }],
    });
    expect(files["etc-prometheus/rules.yml"]).toContain(NAME);
  });

  it("reads the credentials of its row and no others, and a rotation replaces it", async () => {
    const { grantedTo, readersOf } = await import("../../components/credentials/grants.ts");
    expect(grantedTo(NAME)).toEqual(["postgres-exporter"]);
    expect(readersOf("postgres-exporter")).toContain(NAME);
    expect(readersOf("backup-key")).not.toContain(NAME);
    const { labels } = platform.container(NAME);
    expect(labels).toContainEqual({ label: "autollm.credentials", value: "postgres-exporter" });
  });

  it("has its ports on the page of segments, and its number is taken", async () => {
    const { portsIn } = await import("../../components/ports.ts");
    const { takenUids } = await import("../../components/uids.ts");
    expect(portsIn(NAME, "scrape", false)).toEqual([9123]);
    expect(portsIn(NAME, "postgres", false)).toEqual([]);
    expect(takenUids()).toMatchObject({ [NAME]: 70_047 });
  });
});
