import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rebootHost } from "./host/host.ts";
import { type Stage, stage } from "./host/stage.ts";
import { eventually } from "./lib/http.ts";

describe("a host that carries the platform", () => {
  let { at, configureAll, host, remove, stack } = {} as Stage;

  const containers = async (): Promise<string[]> =>
    (await at("docker ps --format '{{.Names}} {{.Status}}' | sort")).split("\n");
  const metric = (service: string): Promise<string> =>
    at(`grep 'restarts_total{.*service="${service}"' /var/lib/autollm/metrics/watchdog.prom | cut -d' ' -f2`);

  beforeAll(async () => {
    ({ at, configureAll, host, remove, stack } = await stage("e2e-host-life"));
    configureAll();
    const { code, stdout, stderr } = await stack.npm("up");
    expect(code, stdout + stderr).toBe(0);
  }, 1_800_000);
  afterAll(() => remove?.());

  test("brings everything back after a reboot, by itself", async () => {
    const before = (await containers()).length;
    await rebootHost(host.container);
    await eventually("all containers healthy", 600, async () => {
      const states = await containers();
      return states.length === before && states.every((line) => line.includes("(healthy)")) ? true : undefined;
    });
    const units = "fail2ban autollm-firewall autollm-watchdog.timer docker";
    expect(await at(`systemctl is-active ${units}`)).toBe("active\nactive\nactive\nactive");
    expect(await at("nft list chain inet autollm forward")).toContain("drop");
  });

  test("restarts a container that stays unhealthy, later each time, and counts it", async () => {
    const name = await at("docker ps --filter label=autollm.service=redis-exporter --format '{{.Names}}'");
    const started = () => at(`docker inspect --format '{{.State.StartedAt}}' ${name}`);
    // Its process stands still: it answers no check.
    const freeze = () => at(`kill -STOP $(docker inspect --format '{{.State.Pid}}' ${name})`);
    const first = await started();
    await freeze();
    await eventually("the restart", 600, async () => ((await started()) !== first ? true : undefined));
    await eventually("the metric", 60, async () => ((await metric("redis-exporter")) === "1" ? true : undefined));
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
    expect(await at("ss -Hltnp | grep dockerd | grep -v 127.0.0.1 || true")).toBe("");
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
    for (const { Name, Config, HostConfig, Mounts } of all) {
      expect(Config.User, `${Name} runs as a user of its own`).toMatch(/^[1-9]\d*/);
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
});
