import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aptFunction } from "../../components/host/steps/packages.ts";
import { rebootHost } from "./host/host.ts";
import { type Stage, stage } from "./host/stage.ts";
import { eventually } from "./lib/http.ts";

/** Holds dpkg's lock as dpkg does. */
const holdLock = (seconds: number) =>
  `perl -e 'use Fcntl; open(F, ">", "/var/lib/dpkg/lock-frontend"); my $lock = pack("s s x4 l! l! i", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $lock) or die; sleep ${seconds}' >/dev/null 2>&1 &`;

/** How many an apt-get there is of the step that installs packages. */
const AT_WORK = "if [ -e /var/lib/autollm/host/packages.lock ]; then pgrep -c apt-get || true; else echo 0; fi";

describe("a host's set up ends in a clear error, and the next up finishes it,", () => {
  let { at, configure, fault, setUp, host, remove } = {} as Stage;

  beforeAll(async () => {
    ({ at, configure, fault, setUp, host, remove } = await stage("e2e-host-faults"));
    configure();
  });
  afterAll(() => remove?.());

  test("when the release is another", async () => {
    await at("cp /usr/lib/os-release /root/os; sed -i 's/^VERSION_ID=.*/VERSION_ID=\"12\"/' /usr/lib/os-release");
    expect(await fault()).toContain("the platform needs Debian 13");
    await at("cp /root/os /usr/lib/os-release");
  });

  test("when the processor is another", async () => {
    await at("printf '#!/bin/sh\\necho armhf\\n' > /usr/local/bin/dpkg; chmod +x /usr/local/bin/dpkg");
    expect(await fault()).toContain("the processor is armhf");
    await at("rm /usr/local/bin/dpkg");
  });

  test("when there is too little memory", async () => {
    await at("echo 'MemTotal: 2048000 kB' > /root/meminfo; mount --bind /root/meminfo /proc/meminfo");
    expect(await fault()).toContain("2000 MiB of memory; the platform needs 3500 at least");
    await at("umount /proc/meminfo");
  });

  test("when the disk is too small", async () => {
    await at(
      "mkdir -p /mnt/var; mount -t tmpfs -o size=3g tmpfs /mnt/var; cp -ax /var/. /mnt/var; mount --move /mnt/var /var",
    );
    expect(await fault()).toMatch(/\d+ MiB are free on \/var; the platform needs 6000 at least/);
    await at("umount --lazy /var");
    expect(await at("id deployer 2>&1 || true")).toContain("no such user");
  });

  test("when names cannot be resolved", async () => {
    await at("cp /etc/resolv.conf /root/resolv; echo 'nameserver 127.0.0.2' > /etc/resolv.conf");
    expect(await fault()).toContain("the host cannot resolve names: fix /etc/resolv.conf");
    await at("cat /root/resolv > /etc/resolv.conf");
  });

  test("when the disk fills up while packages are fetched", async () => {
    await at("mkdir -p /var/cache/apt/archives; mount -t tmpfs -o size=1m tmpfs /var/cache/apt/archives");
    expect(await fault()).toMatch(/apt-get install: [\s\S]*the disk is full: free some/);
    await at("umount /var/cache/apt/archives");
  });

  test("when the connection is cut in the middle", async () => {
    const failing = fault();
    await eventually("apt at work", 120, async () => ((await at(AT_WORK)) !== "0" ? true : undefined));
    await at("pkill -KILL sshd-session");
    expect(await failing).toMatch(/host step packages: the connection to \S+ was lost in the middle/);
  });

  test("when the host is rebooted in the middle", async () => {
    await eventually("the end of the run that was cut", 300, async () =>
      (await at(AT_WORK)) === "0" ? true : undefined,
    );
    // So that it is in its middle for long enough.
    await at(holdLock(300));
    const failing = fault();
    await eventually("apt at work", 120, async () => ((await at(AT_WORK)) !== "0" ? true : undefined));
    await sleep(1000);
    await rebootHost(host.container);
    expect(await failing).toMatch(/host step \w+: the connection to \S+ was lost in the middle|did not answer/);
  });

  test("when another apt works, for which it waits", async () => {
    // Less patience than the real one, which the next line's up has.
    const asked = await at(
      `${holdLock(30)} sleep 1; fail() { echo "fault: $1"; exit 0; }; ${aptFunction(3)}\napt_get install --yes --reinstall jq`,
    );
    expect(asked).toMatch(/another apt has held the lock for 3 s: .*, process \d+ \(perl\)/);
    const marked = await at(
      `${holdLock(30)} sleep 1; fail() { echo "fault: $1"; exit 0; }; ${aptFunction(3)}\napt_mark hold jq; apt_mark unhold jq`,
    );
    expect(marked).toMatch(/another apt has held the lock for 3 s: .*perl process with pid \d+/);
    configure({ docker: { version: "26.*" } });
    const { code, stdout, stderr } = await setUp();
    expect(code, stdout + stderr).toBe(0);
    expect(await at("apt-cache policy docker.io")).toContain("1001");
    configure({ docker: { version: "99.*" } });
    expect(await fault()).toMatch(/docker.io: no version 99\.\* is available \(host.docker.version\); there are: 26/);
  });

  test("when the disk is full in a later step", async () => {
    configure({ trustedNetworks: ["192.0.2.0/24"] });
    await at("mount -t tmpfs -o size=4k tmpfs /var/lib/autollm/host");
    expect(await fault()).toContain("the disk is full: 0 MiB are free on /var/lib/autollm/host");
    // The watcher of the firewall has its lock there.
    await at("umount --lazy /var/lib/autollm/host");
    const { code, stdout, stderr } = await setUp();
    expect(code, stdout + stderr).toBe(0);
    expect(await at("nft list chain inet autollm input")).toContain("ip saddr 192.0.2.0/24");
  });
});
