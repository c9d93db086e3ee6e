import { describe, expect, it } from "vitest";
import { type DaemonFacts, judgeDaemon } from "../../../tools/lib/preflight.ts";

const GIB = 1024 ** 3;
const good: DaemonFacts = {
  api: "1.45",
  minApi: "1.24",
  operatingSystem: "Debian GNU/Linux 13 (trixie)",
  osType: "linux",
  architecture: "x86_64",
  storageDriver: "overlay2",
  securityOptions: ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
  root: "/var/lib/docker",
  limits: { memory: true, pids: true },
  memoryBytes: 8 * GIB,
  freeBytes: 40 * GIB,
  aheadSeconds: 2,
};

describe("a Docker daemon on which the stack runs", () => {
  it.each<[string, Partial<DaemonFacts>, "official" | "built"]>([
    ["Docker 26 with the official plugin", {}, "official"],
    ["Docker 29 with the official plugin", { api: "1.56", minApi: "1.44" }, "official"],
    ["Docker 20.10 with the built plugin", { api: "1.41", minApi: "1.12" }, "built"],
    ["Docker 29 with the built plugin", { api: "1.56", minApi: "1.44", storageDriver: "overlayfs" }, "built"],
    ["an arm64 machine", { architecture: "aarch64" }, "official"],
    ["a host whose disk cannot be asked from here", { freeBytes: undefined }, "official"],
  ])("%s: not a word", (_, facts, origin) =>
    expect(judgeDaemon({ ...good, ...facts }, origin)).toEqual({ faults: [], warnings: [] }),
  );
});

describe("a Docker daemon on which it does not run is refused in one line", () => {
  it.each<[string, Partial<DaemonFacts>, "official" | "built", RegExp]>([
    ["Docker 20.10 with the official plugin", { api: "1.41" }, "official", /API is 1\.41.*needs 1\.45: .*Docker 26/],
    ["Docker 25 with the official plugin", { api: "1.44" }, "official", /update it to Docker 26/],
    ["Docker 19 with the built plugin", { api: "1.40" }, "built", /Docker 20\.10/],
    ["a later Docker with the built plugin", { api: "1.60", minApi: "1.48" }, "built", /install the Pulumi CLI/],
    ["Docker Desktop", { operatingSystem: "Docker Desktop" }, "official", /use Docker Engine/],
    ["Windows containers", { osType: "windows" }, "official", /use Docker Engine on Linux/],
    ["a snap", { root: "/var/snap/docker/common/var-lib-docker" }, "official", /snap/],
    ["another data root", { root: "/data/docker" }, "official", /data-root is \/data\/docker.*mount that disk at/],
    [
      "rootless",
      { securityOptions: ["name=rootless"], root: "/home/op/.local/share/docker" },
      "official",
      /rootless.*root runs/,
    ],
    ["userns-remap", { securityOptions: ["name=userns"], root: "/var/lib/docker/231072.231072" }, "official", /userns/],
    ["a 32-bit machine", { architecture: "armv7l" }, "official", /x86_64 and aarch64/],
    ["a clock an hour ahead", { aheadSeconds: 3600 }, "official", /clock is 60 min ahead of this machine's.*NTP/],
    ["a clock an hour behind", { aheadSeconds: -3601 }, "official", /clock is 60 min behind this machine's/],
    ["1 GiB of memory", { memoryBytes: GIB }, "official", /1\.0 GiB of memory/],
    ["a full disk", { freeBytes: GIB / 2 }, "official", /0\.5 GiB free/],
  ])("%s", (_, facts, origin, fault) => {
    const { faults } = judgeDaemon({ ...good, ...facts }, origin);
    expect(faults).toEqual([expect.stringMatching(fault)]);
  });

  it("and all its faults at once", () => {
    const bad = { ...good, api: "1.41", memoryBytes: GIB, operatingSystem: "Docker Desktop" };
    expect(judgeDaemon(bad, "official").faults).toHaveLength(3);
  });
});

describe("what it would suffer from is a warning", () => {
  it.each<[string, Partial<DaemonFacts>, RegExp]>([
    ["no memory limits", { limits: { memory: false, pids: true } }, /memory/],
    ["no limits of processes", { limits: { memory: true, pids: false } }, /pids cgroup/],
    ["a slow storage driver", { storageDriver: "vfs" }, /overlay2/],
    ["little memory", { memoryBytes: 4 * GIB }, /6 GiB are recommended/],
    ["little disk", { freeBytes: 5 * GIB }, /10 GiB are recommended/],
  ])("%s", (_, facts, warning) => {
    const { faults, warnings } = judgeDaemon({ ...good, ...facts }, "official");
    expect([faults, warnings]).toEqual([[], [expect.stringMatching(warning)]]);
  });
});
