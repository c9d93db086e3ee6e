import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditRules } from "../../components/host/steps/audit.ts";
import { sysctls } from "../../components/host/steps/kernel.ts";
import { tellTable } from "./lib/faults.ts";
import { eventually } from "./lib/http.ts";
import { WAN } from "./machine/image.ts";
import { answerOf, hasIPv6, scan } from "./machine/outside.ts";
import { MachineStage, SWAP_MIB } from "./machine/stage.ts";
import { type Acknowledged, CARRIED, container, Trade } from "./machine/trade.ts";

/** An emulated machine that others' work slows down takes this long for a step, at the most. */
const PATIENCE = 1800;
/** Longest that the machine may be without its rules. */
const FIREWALL_SECONDS = 60;
/** Redis flushes every second, and a flush takes its time: docs/decisions.md. */
const REDIS_MS = 2000;
/** What is always there, by the state in which it should be. */
const UNITS = "docker containerd auditd fail2ban autollm-firewall autollm-firewall-watch autollm-watchdog.timer ssh";
const ALL_ACTIVE = UNITS.replaceAll(/\S+/g, "active").replaceAll(" ", "\n");

interface Cut {
  readonly what: string;
  readonly acknowledged: Acknowledged;
  readonly lost: { readonly intents: number; readonly rows: number; readonly keys: number };
  /** Seconds from the power's return to a login, and until every container was healthy and an order went its whole way. */
  readonly login: number;
  readonly whole: number;
}

describe("a Debian 13 machine with a kernel of its own", { timeout: 3_600_000 }, () => {
  let stage: MachineStage;
  let trade: Trade;
  const cuts: Cut[] = [];

  const at: MachineStage["at"] = (script) => stage.at(script);
  const seconds = (since: number) => Math.round((Date.now() - since) / 1000);
  const states = async () =>
    (await at("docker ps --all --filter label=autollm.deploy --format '{{.Names}} {{.Status}}'")).split("\n");
  /** By themselves: nothing here starts anything. */
  const healthy = () =>
    eventually("all containers healthy", PATIENCE, async () => {
      const lines = await states();
      return lines.length === CARRIED.length && lines.every((line) => line.includes("(healthy)")) ? true : undefined;
    }).catch(async (error) => {
      throw new Error(`${error}: ${(await states()).join("; ")}`);
    });
  const orderGoesItsWay = async (run: string) => {
    const flow = await trade.start(run);
    await eventually("an acknowledged intent", PATIENCE, async () => (flow.acknowledged() > 0 ? true : undefined));
    const acknowledged = await flow.stop();
    await eventually("its fill", PATIENCE, async () =>
      (await trade.missing(run, acknowledged)).intents.length === 0 ? true : undefined,
    );
  };
  /** Drift, but for what was never made here. */
  const drift = async (): Promise<string[]> => {
    const { stdout, stderr, code } = await stage.stack.autollm("drift", "--json");
    if (code !== 0 && code !== 2) throw new Error(stdout + stderr);
    const { drift: all } = JSON.parse(stdout) as {
      drift: readonly { readonly where: string; readonly what: string }[];
    };
    return all.filter(({ what }) => what !== "create").map(({ where, what }) => `${where}: ${what}`);
  };

  beforeAll(async () => {
    const start = Date.now();
    stage = await MachineStage.of("e2e-machine");
    const processor = stage.machine.accelerated ? "this machine's own processor" : "an emulated processor";
    console.log(`seen: a bare machine on ${processor} ${seconds(start)} s after its making began`);
  }, 3_600_000);
  afterAll(async () => {
    if (cuts.length > 0) tellTable("test/e2e/machine.test.ts", cutTable(cuts));
    await stage?.remove();
  }, 900_000);

  test("begins bare, with sshd started by its socket", async () => {
    expect(await at("systemctl is-active ssh.socket; systemctl is-enabled ssh.service || true")).toBe(
      "active\ndisabled",
    );
    expect(await at("for each in docker sudo nft auditctl; do command -v $each || true; done")).toBe("");
    expect(await at("systemd-detect-virt --container || true")).toBe("none");
  });

  test("becomes the platform's host in one up, and the next changes nothing", async () => {
    const start = Date.now();
    const { code, stdout, stderr } = await stage.setUp();
    expect(code, stdout + stderr).toBe(0);
    console.log(`seen: the host set up after ${seconds(start)} s`);
    expect((await stage.setUp()).stdout).toMatch(/Resources:\s+\d+ unchanged/);
    expect(await at(`systemctl is-active ${UNITS}`)).toBe(ALL_ACTIVE);
    expect(await at("systemctl is-active ssh.socket || true")).toBe("inactive");
  });

  test("has every audit rule in its kernel, and writes down what they ask for", async () => {
    const missing = await at(
      auditRules.map(({ rule, loaded }) => `if ! { ${loaded}; }; then echo '${rule}'; fi`).join("\n"),
    );
    expect(missing).toBe("");
    expect(await at("auditctl -s | grep -E '^(enabled|failure|backlog_limit)'")).toBe(
      "enabled 1\nfailure 1\nbacklog_limit 8192",
    );
    const directories = auditRules.flatMap(({ rule }) => /^-w (\S+)\/ /.exec(rule)?.[1] ?? []);
    expect(directories).toContain("/etc/docker");
    const file = (directory: string) => `${directory}/seen-by-audit`;
    await at(directories.map((each) => `touch ${file(each)}; rm ${file(each)}`).join("\n"));
    for (const each of directories)
      await eventually(`the record of ${each}`, 60, async () => {
        const found = await at(
          `ausearch --input-logs --file ${file(each)} --raw 2>/dev/null | grep -c type=PATH || true`,
        );
        return found === "0" ? undefined : true;
      });
  });

  test("names the audit rules that its kernel does not have", async () => {
    const [, rule = ""] = /(-w \/etc\/shadow .*)/.exec(auditRules.map((each) => each.rule).join("\n")) ?? [];
    await at("auditctl -W /etc/shadow -p wa -k identity");
    expect(await drift()).toEqual([`host audit: the kernel has not loaded the audit rule ${rule}`]);
    // At a rule that it refuses, the kernel's own tool leaves out all that come after it.
    await at("echo '-a always,exit -F arch=b64 -S no_such_call -k theirs' > /etc/audit/rules.d/10-theirs.rules");
    const refused = await stage.stack.autollm("drift", "--repair");
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain("the kernel has not loaded the audit rule");
    await at("rm /etc/audit/rules.d/10-theirs.rules");
    expect((await stage.stack.autollm("drift", "--repair")).code).toBe(0);
    expect(await drift()).toEqual([]);
  });

  test("has the declared settings in its kernel, its swap, and time kept", async () => {
    const ask = Object.keys(sysctls).map((key) => {
      const path = `/proc/sys/${key.replaceAll(".", "/")}`;
      return `if [ -e ${path} ]; then echo "${key} $(cat ${path})"; fi`;
    });
    const known = (await at(ask.join("\n"))).split("\n").map((line) => line.split(" "));
    for (const [key = "", value] of known) expect(value, key).toBe(sysctls[key]);
    const unknown = Object.keys(sysctls).filter((key) => !known.some(([name]) => name === key));
    console.log(`seen: ${known.length} settings of the kernel; it does not know: ${unknown.join(", ") || "none"}`);
    expect(unknown.length).toBeLessThan(known.length / 4);
    expect(await at("swapon --show=SIZE --bytes --noheadings")).toBe(String(SWAP_MIB * 1_048_576 - 4096));
    await at("systemctl is-active systemd-timesyncd");
    expect(await at("! modprobe sctp 2>/dev/null && ! lsmod | grep -q '^sctp' && echo closed")).toBe("closed");
  });

  test("finds by unattended-upgrades what it would install, from Debian's security alone", async () => {
    const said = await at("unattended-upgrade --dry-run --verbose 2>&1");
    expect(said).toContain("Allowed origins are: origin=Debian,codename=trixie-security,label=Debian-Security");
    await at("systemctl start autollm-upgrades-report.service");
    expect(await at("grep -c '^host_security' /var/lib/autollm/metrics/upgrades.prom")).not.toBe("0");
  });

  test("carries the stores and an order's way", async () => {
    const start = Date.now();
    const { code, stdout, stderr } = await stage.carry(CARRIED);
    expect(code, stdout + stderr).toBe(0);
    await healthy();
    console.log(`seen: ${CARRIED.length} containers healthy after ${seconds(start)} s, their images sent`);
    trade = await Trade.of(stage);
    await trade.open();
    await orderGoesItsWay("first");
  });

  test("confines each container: AppArmor, seccomp, and the limits of control groups v2", async () => {
    expect(await at("docker info --format '{{.CgroupVersion}} {{.CgroupDriver}}'")).toBe("2 systemd");
    for (const workload of CARRIED) {
      const name = await container(stage, workload);
      const [pid, memory, pids] = (
        await at(`docker inspect --format '{{.State.Pid}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' ${name}`)
      ).split(" ");
      expect(await at(`cat /proc/${pid}/attr/current`), workload).toBe("docker-default (enforce)");
      expect(await at(`grep -E '^(Seccomp|NoNewPrivs|CapEff):' /proc/${pid}/status`), workload).toBe(
        "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2",
      );
      // As the container itself reads them.
      const inside = `nsenter --target ${pid} --mount --cgroup`;
      expect(await at(`${inside} cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max`), workload).toBe(
        `${memory}\n${pids}`,
      );
      expect(await at(`${inside} cat /sys/fs/cgroup/memory.swap.max`), workload).toBe("0");
      expect(Number(memory), workload).toBeGreaterThan(0);
      expect(Number(pids), workload).toBeGreaterThan(0);
    }
  });

  test("answers from outside on the declared ports alone, over IPv4 and IPv6, though a container publishes another", async (context) => {
    const image = await at(`docker inspect --format '{{.Image}}' ${await container(stage, "redis")}`);
    await at(`docker run --detach --name stray --publish 8080:80 --publish 5432:80 --entrypoint sleep ${image} 3600`);
    // 80 and 443 are open in the firewall, and nobody listens there: this machine carries no Caddy.
    const declared = new Map([
      [22, "open"],
      [80, "refused"],
      [443, "refused"],
    ]);
    const ipv6 = hasIPv6();
    const addresses = ipv6 ? [WAN.v4, WAN.v6] : [WAN.v4];
    for (const address of addresses) {
      for (const [port, answer] of declared)
        await eventually(`port ${port} of ${address}`, 60, async () =>
          (await answerOf(address, port)) === answer ? true : undefined,
        );
      for (const [port, answer] of await scan(address))
        expect(`${port} ${answer}`).toBe(`${port} ${declared.get(port)}`);
    }
    await at("docker rm --force stray");
    if (!ipv6) context.skip("this machine has no IPv6: over IPv4 alone");
  });

  test.each(["systemctl restart nftables", "nft flush ruleset"])(
    "has its firewall again within a minute of %s",
    async (harm) => {
      const ours = () => at("nft --stateless --terse list table inet autollm 2>/dev/null || true");
      const dockers = () => at("iptables -S FORWARD | grep -c DOCKER || true");
      const before = await ours();
      expect(before).toContain("policy drop");
      const jumps = await dockers();
      expect(jumps).not.toBe("0");
      const restored = async (what: string) => {
        const start = Date.now();
        await eventually("our rules", FIREWALL_SECONDS, async () => ((await ours()) === before ? true : undefined));
        const after = seconds(start);
        // Docker makes its own by a start of its own, for which an emulated processor takes longer.
        const patience = stage.machine.accelerated ? FIREWALL_SECONDS : 5 * FIREWALL_SECONDS;
        await eventually("Docker's rules", patience, async () => ((await dockers()) === jumps ? true : undefined));
        console.log(`seen: our rules ${after} s after ${what}, and Docker's after ${seconds(start)} s`);
      };
      await at(harm);
      await restored(harm);
      // It removes all rules once more.
      await at("systemctl stop nftables");
      await restored("nftables.service was stopped");
      await healthy();
    },
  );

  test("has everything back after a reboot, the firewall before the network", async () => {
    const start = Date.now();
    await stage.machine.reboot(stage.user);
    console.log(`seen: a login ${seconds(start)} s after the reboot`);
    expect(await at(`systemctl is-active ${UNITS}`)).toBe(ALL_ACTIVE);
    expect(await at("systemctl is-active ssh.socket || true")).toBe("inactive");
    expect(await at("systemctl --failed --no-legend")).toBe("");
    const [firewall = "", network = ""] = (
      await at(
        "systemctl show --property ExecMainExitTimestampMonotonic --value autollm-firewall; systemctl show --property ExecMainStartTimestampMonotonic --value systemd-networkd",
      )
    ).split("\n");
    expect(Number(firewall)).toBeGreaterThan(0);
    expect(Number(firewall)).toBeLessThan(Number(network));
    expect(
      await at(auditRules.map(({ rule, loaded }) => `if ! { ${loaded}; }; then echo '${rule}'; fi`).join("\n")),
    ).toBe("");
    await healthy();
    await trade.open();
    await orderGoesItsWay("rebooted");
    expect(await drift()).toEqual([]);
  });

  test.each([
    ["the power is cut while orders flow", 0],
    ["the power is cut while orders flow, and again while everything starts", 1],
  ] as const)("loses nothing that was acknowledged when %s, and starts by itself", async (what, more) => {
    const run = `cut-${cuts.length}`;
    const flow = await trade.start(run);
    await eventually("acknowledged writes", PATIENCE, async () => (flow.acknowledged() >= 30 ? true : undefined));
    const end = Date.now();
    await stage.machine.cut(stage.user);
    trade.close();
    const acknowledged = await flow.stop();
    for (let again = 0; again < more; again++) {
      await stage.machine.boot(stage.user);
      await eventually("containers that are starting", PATIENCE, async () =>
        (await states()).some((line) => line.includes("starting")) ? true : undefined,
      );
      await stage.machine.cut(stage.user);
    }
    const start = Date.now();
    await stage.machine.boot(stage.user);
    const login = seconds(start);
    await healthy();
    await trade.open();
    await orderGoesItsWay(`${run}-after`);
    const whole = seconds(start);
    await eventually("the fills of all intents", PATIENCE, async () =>
      (await trade.missing(run, acknowledged)).intents.length === 0 ? true : undefined,
    ).catch(() => undefined);
    const { intents, rows, keys } = await trade.missing(run, acknowledged);
    const lost = { intents: intents.length, rows: rows.length, keys: keys.length };
    cuts.push({ what, acknowledged, lost, login, whole });
    expect(intents, "accepted orders").toEqual([]);
    expect(rows, "committed rows").toEqual([]);
    const late = (n: number) => end - (acknowledged.keys[n - 1] ?? 0) < REDIS_MS;
    expect(
      keys.filter((n) => !late(n)),
      "keys, but for the last moment's",
    ).toEqual([]);
    // Redis goes on without a last write that is cut short, and keeps a copy.
    expect(await at("find /var/lib/docker/volumes -name '*.damaged-*' | grep -v /redis-data- || true")).toBe("");
    expect(await at("systemctl --failed --no-legend")).toBe("");
    expect(await at(`systemctl is-active ${UNITS}`)).toBe(ALL_ACTIVE);
    await pause(1000);
  });

  test("shows no drift after all that", async () => {
    expect(await drift()).toEqual([]);
  });
});

/** What power cuts did, as a table of docs/faults.md. */
function cutTable(results: readonly Cut[]): string {
  const rows = results.map(({ what, acknowledged: { intents, rows, keys }, lost, login, whole }) =>
    [
      what,
      ...[intents.acknowledged, lost.intents],
      ...[rows.acknowledged, lost.rows],
      ...[keys.length, lost.keys],
      ...[login, whole],
    ].join(" | "),
  );
  return [
    "| what happens | orders accepted | lost | rows committed | lost | keys set | lost | login after, s | recovered after, s |",
    "|---|---|---|---|---|---|---|---|---|",
    ...rows.map((row) => `| ${row} |`),
  ].join("\n");
}
