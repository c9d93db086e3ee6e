import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { hostFiles, measuredFileSystems, probes } from "../../../components/observability/nodeExporter.ts";
import { prometheusConfig } from "../../../components/observability/prometheusConfig.ts";

/** A line of /proc/PID/mountinfo (proc(5)). */
const mount = (device: string, root: string, point: string, type = "ext4") =>
  `20 1 ${device} ${root} ${point} rw,relatime shared:1 - ${type} /dev/disk${device} rw`;

/** What is measured, by the probe: the mount point's name, and how the host mounted it. */
function measured(own: readonly string[], host: readonly string[]): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), "autollm-mounts-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [ownFile, hostFile] = [join(folder, "own"), join(folder, "host")];
  writeFileSync(ownFile, `${own.join("\n")}\n`);
  writeFileSync(hostFile, `${host.join("\n")}\n`);
  const args = ["-v", `probes=${probes.join(" ")}`, measuredFileSystems, ownFile, hostFile];
  const lines = execFileSync("awk", args, { encoding: "utf8" }).trim().split("\n");
  return Object.fromEntries(
    lines.map((line) => {
      const [probe = "", , , device = "", , point = ""] = line.split(" ");
      return [probe, `${device} ${point}`];
    }),
  );
}

const container = (root: string, docker: string, files: string) => [
  mount("0:39", "/", "/", "overlay"),
  mount(root, "/etc/hostname", "/host/root"),
  mount("0:21", "/1/mountinfo", "/host/mountinfo", "proc"),
  mount(docker, "/var/lib/docker/containers/1a/hosts", "/etc/hosts"),
  mount(files, "/srv/files/etc-autollm", "/etc/autollm"),
];

describe("the file systems that are measured", () => {
  test("are one, where all lies on one disk", () => {
    const host = [mount("0:21", "/", "/proc", "proc"), mount("8:1", "/", "/"), mount("8:2", "/", "/boot")];
    expect(Object.values(measured(container("8:1", "8:1", "8:1"), host))).toEqual(["8:1 /@"]);
  });

  test("are the root's, Docker's and the stack's files', each by the host's name for it", () => {
    const host = [mount("8:1", "/", "/"), mount("8:3", "/", "/var/lib/docker"), mount("8:2", "/", "/var")];
    expect(measured(container("8:1", "8:3", "8:2"), host)).toEqual({
      "/host/root": "8:1 /@",
      "/etc/hosts": "8:3 /var/lib/docker/@",
      "/etc/autollm": "8:2 /var/@",
    });
  });

  test("have the name of the mount that shows most of them", () => {
    const host = [mount("8:1", "/var/lib/docker", "/var/lib/docker"), mount("8:1", "/", "/")];
    expect(Object.values(measured(container("8:1", "8:1", "8:1"), host))).toEqual(["8:1 /@"]);
  });
});

test("a file system has the host's mount point for its label, not its probe's name", () => {
  const target = { job: "node-exporter", address: "node-exporter:9100", fileSystems: true };
  const { scrape_configs } = parse(prometheusConfig({ targets: [target], externalLabels: {} })) as {
    scrape_configs: [{ metric_relabel_configs: { regex: string; replacement: string }[] }];
  };
  const relabelled = (mountpoint: string) =>
    scrape_configs[0].metric_relabel_configs.reduce(
      (value, { regex, replacement }) => value.replace(new RegExp(`^(?:${regex})$`), replacement),
      mountpoint,
    );
  expect(["/@", "/var/@", "/var/lib/docker/@"].map(relabelled)).toEqual(["/", "/var", "/var/lib/docker"]);
  expect(relabelled("/other")).toBe("/other");
});

test("of the host, node-exporter is given single files", () => {
  expect(hostFiles.map(({ source }) => source)).toEqual(["/proc/1/net/dev", "/proc/1/mountinfo", "/etc/hostname"]);
});
