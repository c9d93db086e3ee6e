import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rebootHost } from "./host/host.ts";
import { type Stage, stage } from "./host/stage.ts";
import { eventually } from "./lib/http.ts";

const OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM+XRGrpIW+u7RKXeVCiLdCjoVg59vAY2rm4pJUYJjMb";

describe("the way in to a host", () => {
  let { at, configure, fault, setUp, host, login, neighbour, remove, stack } = {} as Stage;

  const done = async () => {
    const { code, stdout, stderr } = await setUp();
    expect(code, stdout + stderr).toBe(0);
  };

  beforeAll(async () => {
    ({ at, configure, fault, setUp, host, login, neighbour, remove, stack } = await stage("e2e-host-access"));
  });
  afterAll(() => remove?.());

  test("is a user who may sudo, at first; one who may not is told how", async () => {
    await at(
      "apt-get -qq update; apt-get -qq install --yes sudo >/dev/null 2>&1; useradd --create-home --shell /bin/bash debian; cp -a /root/.ssh /home/debian/; chown -R debian: /home/debian/.ssh; rm -r /root/.ssh",
    );
    configure({ user: "debian" });
    expect(await fault()).toContain("let it sudo without a password (NOPASSWD)");
    await at("echo 'debian ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/cloud");
    await done();
    expect((await login("deployer")).stdout).toContain("deployer");
    expect((await login("debian")).code).not.toBe(0);
    expect((await login("root")).code).not.toBe(0);
  });

  test("has swap, a bounded journal and Docker held", async () => {
    expect(await at("stat -c '%s %a' /var/lib/autollm/swapfile")).toBe(`${2048 * 1048576} 600`);
    expect(await at("systemd-analyze cat-config systemd/journald.conf")).toContain("SystemMaxUse=1G");
    expect(await at("apt-mark showhold")).toContain("docker.io");
  });

  test("moves to another port without a lock-out", async () => {
    configure({ user: "debian", port: 2222 });
    await done();
    expect((await login("deployer", undefined, 2222)).stdout).toContain("deployer");
    expect((await login("deployer")).code).not.toBe(0);
    expect(await at("ss -Hltn | grep -c ':22 ' || true")).toBe("0");
    const scan = `for port in 22 80 443 2222 2375 5432; do if timeout 1 bash -c "exec 3<>/dev/tcp/$0/$port" 2>/dev/null; then echo -n "$port "; fi; done`;
    expect((await neighbour(scan.replaceAll("$0", host.address))).trim()).toBe("2222");
    if (host.address6 !== "") expect((await neighbour(scan.replaceAll("$0", host.address6))).trim()).toBe("2222");
  });

  test("stays open when a change of it cannot be proven, also over a reboot", async () => {
    // Somebody's firewall before the host lets nothing through to the new port.
    await at(
      "nft add table inet theirs; nft add chain inet theirs in '{ type filter hook input priority -300; }'; nft add rule inet theirs in tcp dport 2200 drop",
    );
    configure({ user: "debian", port: 2200, firstPort: 2222 });
    const failing = fault();
    await eventually("the change", 120, async () => ((await at("ss -Hltn")).includes(":2200 ") ? true : undefined));
    expect(await at("systemctl is-enabled autollm-revert-ssh.timer")).toBe("enabled");
    await rebootHost(host.container);
    expect(await failing).toMatch(/no second connection came through on port 2200|lost in the middle|did not answer/);
    await eventually("the old port", 180, async () =>
      (await login("deployer", undefined, 2222)).stdout.includes("deployer") ? true : undefined,
    );
    expect(await at("ls /etc/systemd/system | grep -c revert || true")).toBe("0");
    configure({ user: "debian", port: 2222 });
    await done();
  });

  test("is closed to a host whose key is not the pinned one", async () => {
    configure({ user: "debian", port: 2222, hostKey: OTHER_KEY });
    expect(await fault()).toContain("is not the pinned one");
    configure({ user: "debian", port: 2222 });
    await done();
  });

  test("is closed for an hour to an address with 3 wrong keys", async () => {
    const address = host.address.replace(/\d+$/, "66");
    const attempts = `ssh-keygen -q -t ed25519 -N '' -f /tmp/key; for _ in 1 2 3; do ssh -p 2222 -i /tmp/key -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=4 deployer@${host.address} true 2>&1 || true; sleep 1; done`;
    expect(await neighbour(attempts, "--ip", address)).toContain("Permission denied");
    await eventually("the ban", 30, async () =>
      (await at("fail2ban-client status sshd")).includes(address) ? true : undefined,
    );
    const again = `timeout 3 bash -c "exec 3<>/dev/tcp/${host.address}/2222" 2>/dev/null && echo open || echo closed`;
    expect((await neighbour(again, "--ip", address)).trim()).toBe("closed");
    expect((await neighbour(again, "--ip", host.address.replace(/\d+$/, "67"))).trim()).toBe("open");
    expect((await login("deployer", undefined, 2222)).code).toBe(0);
  });

  test("is as it was before after a destroy, which says what it leaves", async () => {
    const { code, stdout, stderr } = await stack.npm("pulumi", "destroy", "--yes", "--skip-preview");
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain("left there: the directories and all that is in them");
    expect(stdout).toContain("left there: Docker itself");
    expect(await at("ls /etc/ssh/sshd_config.d /etc/systemd/system /etc/sysctl.d /etc/autollm 2>&1")).not.toMatch(
      /autollm-|00-autollm|90-autollm/,
    );
    expect(await at("nft list tables")).not.toContain("autollm");
    expect(await at("jq -c . /etc/docker/daemon.json")).toBe("{}");
    expect(await at("ls -d /var/lib/autollm/data; ls /var/lib/autollm/swapfile 2>&1 || true")).toContain(
      "No such file",
    );
    expect((await login("debian")).stdout).toContain("debian");
    await done();
  });
});
