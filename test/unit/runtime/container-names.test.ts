import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { prometheusConfig } from "../../../components/observability/prometheusConfig.ts";
import { CONTAINER_INFO, NAMES_FOLDER, namesScript } from "../../../components/runtime/containerNames.ts";
import { run } from "../../../tools/lib/run.ts";
import { runPlatform } from "../lib/platform.ts";

describe("the names of containers", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "autollm-names-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const file = () => join(directory, NAMES_FOLDER, "containers.prom");
  /** Runs the script with a `docker` that prints a line for each id it is asked for, or fails. */
  async function write(ids: string, docker: string): Promise<number> {
    writeFileSync(join(directory, "docker"), `#!/bin/sh\n${docker}\n`);
    chmodSync(join(directory, "docker"), 0o755);
    const env = { PATH: `${directory}:${process.env.PATH}` };
    const script = namesScript(directory, "unix:///var/run/docker.sock");
    return (await run("sh", ["-c", script], { input: ids, env, allowFailure: true })).code;
  }

  it("are written as Prometheus reads them, one line per container", async () => {
    expect(await write("one\ntwo", 'shift 5; for id in "$@"; do echo "line $id"; done')).toBe(0);
    expect(readFileSync(file(), "utf8").split("\n").slice(1)).toEqual([
      `# TYPE ${CONTAINER_INFO} gauge`,
      "line one",
      "line two",
      "",
    ]);
  });

  it("stay as they were when Docker does not answer", async () => {
    expect(await write("one", "exit 1")).not.toBe(0);
    expect(existsSync(file())).toBe(false);
  });

  it("are written when every container is there, and read by node-exporter beside its other files", async () => {
    const platform = await runPlatform();
    const { inputs } = platform.find("command:local:Command", "container-names");
    const ids = String(inputs.stdin).split("\n");
    const containers = platform.resources.filter(({ type }) => type === "docker:index/container:Container");
    expect(ids).toHaveLength(containers.length);
    expect(String(inputs.create)).toContain("/node-exporter-files-live/containers");
    expect(platform.files("node-exporter")["etc-autollm/start.sh"]).toContain("'/run/live/containers*'");
  });
});

describe("a target of control groups", () => {
  const { scrape_configs: jobs } = parse(
    prometheusConfig({
      targets: [{ job: "cadvisor", address: "cadvisor:8080", containers: true }],
      externalLabels: {},
    }),
  ) as { scrape_configs: { metric_relabel_configs: { source_labels?: string[]; regex: string }[] }[] };
  const id = "0123456789abcdef".repeat(4);
  const pattern = jobs[0]?.metric_relabel_configs.find(({ source_labels }) => source_labels?.[0] === "id")?.regex ?? "";

  it.each([
    [`/docker/${id}`, id],
    [`/system.slice/docker-${id}.scope`, id],
    ["/", undefined],
    ["/system.slice/docker.service", undefined],
    [`/docker/${id}/docker/${"f".repeat(64)}`, "f".repeat(64)],
  ])("knows %s as the container %s", (path, container) => {
    // Prometheus anchors its patterns.
    expect(new RegExp(`^(?:${pattern})$`).exec(path)?.[1]).toBe(container);
  });
});
