import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { executors } from "../../components/platform/catalogue.ts";
import { waivers } from "../../policies/waivers.ts";
import type { Status } from "../../tools/lib/status.ts";
import { onHost, rebootHost } from "./host/host.ts";
import { type Stage, stage } from "./host/stage.ts";
import { Faults } from "./lib/faults.ts";
import { eventually } from "./lib/http.ts";

describe("a host that carries the platform", () => {
  let { at, configureAll, host, remove, stack } = {} as Stage;
  let faults: Faults;

  const containers = async (): Promise<string[]> =>
    (await at("docker ps --format '{{.Names}} {{.Status}}' | sort")).split("\n");
  const healthy = (count = 1) =>
    eventually("all containers healthy", 600, async () => {
      const states = await containers();
      return states.length >= count && states.every((line) => line.includes("(healthy)")) ? true : undefined;
    });
  const metric = (service: string): Promise<string> =>
    at(`grep 'restarts_total{.*service="${service}"' /var/lib/autollm/metrics/watchdog.prom | cut -d' ' -f2`);

  beforeAll(async () => {
    ({ at, configureAll, host, remove, stack } = await stage("e2e-host-life"));
    faults = new Faults(stack);
    configureAll();
    const { code, stdout, stderr } = await stack.autollm("up");
    expect(code, stdout + stderr).toBe(0);
  }, 1_800_000);
  afterAll(async () => {
    faults?.tell("test/e2e/host-life.test.ts");
    await remove?.();
  });

  test("brings everything back after a reboot, by itself", async () => {
    const before = (await containers()).length;
    await rebootHost(host.container);
    await healthy(before);
    const units = "fail2ban autollm-firewall autollm-watchdog.timer docker";
    expect(await at(`systemctl is-active ${units}`)).toBe("active\nactive\nactive\nactive");
    expect(await at("nft list chain inet autollm forward")).toContain("drop");
  });

  test("is seen whole by status, over SSH", async () => {
    const running = (await containers()).length;
    const began = Date.now();
    const { stdout, stderr } = await stack.autollm("status", "--json");
    console.log(`seen: status over SSH in ${Date.now() - began} ms`);
    const status = JSON.parse(stdout) as Status;
    expect(status.workloads?.filter(({ state }) => state === "running").length, stderr).toBe(running);
    expect(status.silent).toEqual([]);
    expect(status.killSwitch?.on).toBe(false);
  });

  test("has its kill switch set over SSH, and keeps it over a reboot and whatever starts an executor", async () => {
    const executor = "$(docker ps --all --filter label=autollm.service=execution-ib --format '{{.Names}}')";
    const state = () => at(`docker inspect --format '{{.State.Status}}' ${executor}`);
    const marker = "/var/lib/autollm/files/*/kill-switch/on.prom";
    const everything = (await containers()).length;
    const began = Date.now();
    const on = await stack.autollm("kill-switch", "on", "--reason", "a reboot");
    expect(on.code, on.stdout + on.stderr).toBe(0);
    const ended = Date.parse(await at(`docker inspect --format '{{.State.FinishedAt}}' ${executor}`));
    console.log(`seen: the executor's end ${ended - began} ms after the command's start, by SSH`);
    expect(await state()).toBe("exited");
    await rebootHost(host.container);
    await healthy(everything - executors.length);
    expect(await state()).toBe("exited");
    expect(await at(`cat ${marker}`)).toContain("a reboot");
    expect((await stack.autollm("kill-switch", "status")).code).toBe(2);
    const status = await stack.autollm("status");
    expect(status.code, status.stderr).toBe(2);
    expect(status.stdout).toContain("a reboot");
    // It waits for the operator who starts it, also over another reboot.
    await at(`docker start ${executor}`);
    await rebootHost(host.container);
    await healthy(everything - executors.length);
    expect(await at(`docker logs --tail 1 ${executor} 2>&1`)).toContain("the kill switch is on");
    const off = await stack.autollm("kill-switch", "off");
    expect(off.code, off.stdout + off.stderr).toBe(0);
    await healthy(everything);
    expect(await state()).toBe("running");
    await at(`! ls ${marker}`);
  });

  test("restarts a container that stays unhealthy, later each time, and counts it", async () => {
    const name = await at("docker ps --filter label=autollm.service=blackbox-exporter --format '{{.Names}}'");
    const started = () => at(`docker inspect --format '{{.State.StartedAt}}' ${name}`);
    // All its processes hang, so it answers no check.
    const freeze = () => at(`kill -STOP $(docker top ${name} -o pid | tail -n +2)`);
    const first = await started();
    await freeze();
    await eventually("the restart", 600, async () => ((await started()) !== first ? true : undefined));
    await eventually("the metric", 60, async () => ((await metric("blackbox-exporter")) === "1" ? true : undefined));
    expect(await at("journalctl --unit autollm-watchdog --no-pager --output cat")).toContain(
      `restarting ${name}: unhealthy for 3 checks`,
    );
    await eventually("its health", 300, async () =>
      (await containers()).some((line) => line.startsWith(name) && line.includes("(healthy)")) ? true : undefined,
    );
    expect(await metric("postgres-exporter")).toBe("0");
  });

  test("holds what the CIS Docker benchmark asks of daemon, files and containers", async () => {
    const info = JSON.parse(await at("docker info --format '{{json .}}'"));
    expect(info).toMatchObject({ LiveRestoreEnabled: true, LoggingDriver: "json-file", ExperimentalBuild: false });
    expect(info.InsecureRegistries ?? []).toEqual([]);
    expect(info.SecurityOptions).toContain("name=no-new-privileges");
    expect(await at("ps -o args= -C dockerd")).not.toMatch(/tcp:|--insecure-registry/);
    // It holds Caddy's published ports itself, and no other: not its API.
    expect(await at("ss -Hltnp | grep dockerd | awk '{ print $4 }' | sort")).toBe("0.0.0.0:443\n0.0.0.0:80");
    const modes: readonly (readonly [string, RegExp])[] = [
      ["/etc/docker", /^root:root 75[05]$/],
      ["/etc/docker/daemon.json", /^root:root 6[04][04]$/],
      ["/run/docker.sock", /^root:docker 660$/],
      ["/var/lib/docker", /^root:root 71[01]$/],
    ];
    for (const [path, mode] of modes) expect(await at(`stat -Lc '%U:%G %a' ${path}`), path).toMatch(mode);
    expect(await at("getent group docker")).toMatch(/:deployer$/);
    const all = JSON.parse(await at("docker inspect $(docker ps --quiet)"));
    expect(all.length).toBeGreaterThan(20);
    const asRoot = all.filter(({ Config }: { Config: { User: string } }) => !/^[1-9]/.test(Config.User));
    const labelled = asRoot.map(
      ({ Config }: { Config: { Labels: Record<string, string> } }) => Config.Labels["autollm.service"],
    );
    const waived = waivers.filter(({ rule, value }) => rule === "container-user-not-root" && value === "0");
    expect(labelled.sort()).toEqual(waived.map(({ service }) => service).sort());
    for (const { Name, Config, HostConfig, Mounts } of all) {
      expect(HostConfig, Name).toMatchObject({
        Privileged: false,
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        PidMode: "",
      });
      expect(HostConfig.NetworkMode, Name).not.toBe("host");
      expect(HostConfig.IpcMode, Name).not.toBe("host");
      expect(HostConfig.SecurityOpt, Name).toContainEqual(expect.stringContaining("no-new-privileges"));
      expect(HostConfig.Memory, `${Name} has a limit of memory`).toBeGreaterThan(0);
      expect(HostConfig.RestartPolicy.Name, Name).toMatch(/unless-stopped|always|on-failure/);
      expect(Config.Healthcheck, `${Name} has a health check`).toBeTruthy();
      expect(
        Mounts.map(({ Source }: { Source: string }) => Source),
        Name,
      ).not.toContain("/var/run/docker.sock");
    }
  });

  test.each([
    ["Docker is restarted", "systemctl restart docker"],
    ["Docker is killed", "systemctl kill --signal KILL docker"],
    ["containerd is killed", "systemctl kill --kill-whom main --signal KILL containerd"],
  ])("loses no accepted order when %s", async (fault, harm) => {
    await onHost(host.container, () => faults.survives(fault, async () => void (await at(harm))));
    expect(await at("systemctl is-active docker containerd")).toBe("active\nactive");
  });

  test.each(["postgres", "redis", "nats", "prometheus", "loki", "grafana"])(
    "loses no accepted order when the volume of %s is full for half a minute",
    async (workload) => {
      const path = await at(
        `docker volume inspect --format '{{.Mountpoint}}' $(docker volume ls --quiet | grep '^${workload}-data-')`,
      );
      const name = await at(`docker ps --filter label=autollm.service=${workload} --format '{{.Names}}'`);
      // A small disk of its own takes the place of the volume; its container sees it from its next start.
      await at(`docker stop --time 60 ${name}; mkdir -p /mnt/small`);
      await at(
        `mount -t tmpfs -o size=$(($(du -sm ${path} | cut -f1) + 64))m tmpfs /mnt/small; cp -a ${path}/. /mnt/small`,
      );
      await at(`mount --move /mnt/small ${path}; docker start ${name}`);
      await healthy();
      await onHost(host.container, () =>
        faults.survives(`the volume of ${workload} is full for 30 s`, async () => {
          await at(`dd if=/dev/zero of=${path}/full bs=64k 2>/dev/null || true`);
          expect(await at(`df --output=avail ${path} | tail -1`)).toBe("0");
          await pause(30_000);
          await at(`rm ${path}/full`);
        }),
      );
    },
  );
});
