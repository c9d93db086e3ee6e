import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
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

  const keys = mkdtempSync(join(tmpdir(), "autollm-host-keys-"));
  const newKey = (name: string): string => {
    const path = join(keys, name);
    spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
    return path;
  };
  const publicKey = (path: string) => readFileSync(`${path}.pub`, "utf8").split(" ").slice(0, 2).join(" ").trim();
  /** What differs on the host; the platform's containers are not there. */
  const hostDrift = async (): Promise<string[]> => {
    const { drift } = JSON.parse((await stack.autollm("drift", "--json")).stdout) as {
      drift: { where: string; what: string }[];
    };
    return drift.filter(({ where }) => where.startsWith("host ")).map(({ where, what }) => `${where}: ${what}`);
  };

  beforeAll(async () => {
    ({ at, configure, fault, setUp, host, login, neighbour, remove, stack } = await stage("e2e-host-access"));
  });
  afterAll(async () => {
    rmSync(keys, { recursive: true });
    await remove?.();
  });

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

  test("has swap, a bounded journal, and nothing that holds a security fix back", async () => {
    expect(await at("stat -c '%s %a' /var/lib/autollm/swapfile")).toBe(`${2048 * 1048576} 600`);
    expect(await at("systemd-analyze cat-config systemd/journald.conf")).toContain("SystemMaxUse=1G");
    expect(await at("apt-mark showhold")).toBe("");
    expect(await at("systemctl list-timers --no-legend")).toContain(" 05:00:00 UTC ");
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

  test("takes a new admin without a change of the firewall", async () => {
    const rules = () => at("nft --stateless --terse list ruleset");
    const before = await rules();
    const key = newKey("ada");
    configure({ user: "debian", port: 2222, admins: { ada: [publicKey(key)] } });
    await done();
    expect(await rules()).toBe(before);
    expect(await hostDrift()).toEqual([]);
    expect((await login("ada", key, 2222)).stdout).toContain("ada");
  });

  test("takes an administrator whose agent offers four other keys first, and counts no failed login", async () => {
    const key = newKey("grace");
    configure({ user: "debian", port: 2222, admins: { grace: [publicKey(key)] } });
    await done();
    const offered = [...["one", "two", "three", "four"].map(newKey), key].map((path) => basename(path));
    const address = host.address.replace(/\d+$/, "64");
    const agent = `eval "$(ssh-agent)" >/dev/null; for key in ${offered.join(" ")}; do install -m 0600 /keys/$key /tmp/$key; ssh-add -q /tmp/$key; done`;
    const ssh = (user: string) =>
      `ssh -p 2222 -o BatchMode=yes -o StrictHostKeyChecking=accept-new ${user}@${host.address} id 2>&1 || true`;
    const options = ["--ip", address, "--volume", `${keys}:/keys:ro`];
    // As often as would be a ban, if it counted.
    const logins = await neighbour(`${agent}; ${ssh("grace")}; ${ssh("grace")}; ${ssh("grace")}`, ...options);
    expect(logins.match(/uid=\d+\(grace\)/g)).toHaveLength(3);
    // Nobody is told by the answer whether there is such an account.
    expect(await neighbour(`${agent}; ${ssh("nobody-here")}`, ...options)).toContain("Permission denied (publickey)");
    expect(await neighbour(`${agent}; ${ssh("root")}`, ...options)).toContain("Too many authentication failures");
    expect(await at("fail2ban-client get sshd banip")).not.toContain(address);
    configure({ user: "debian", port: 2222 });
    await done();
  });

  test("is not opened by a setting of somebody else's, in a Match block either", async () => {
    await at(
      "printf 'Match Address 0.0.0.0/0\\n  PasswordAuthentication yes\\n  AuthorizedKeysFile .ssh/authorized_keys\\n  AllowUsers debian\\n' > /etc/ssh/sshd_config.d/50-cloud.conf; sshd -t; systemctl reload ssh",
    );
    expect((await login("debian", undefined, 2222)).code).not.toBe(0);
    expect(await at("sshd -T -C user=debian,addr=192.0.2.9 | grep -i '^passwordauth'")).toBe(
      "passwordauthentication no",
    );
    expect(await hostDrift()).toEqual([]);
    await at("rm /etc/ssh/sshd_config.d/50-cloud.conf; systemctl reload ssh");
  });

  test("is not opened to a system account, and nothing is changed for it", async () => {
    await at("useradd --system --no-create-home --shell /usr/sbin/nologin statsd");
    configure({ user: "debian", port: 2222, admins: { statsd: [publicKey(newKey("statsd"))] } });
    expect(await fault()).toMatch(/statsd is a system account of this host \(uid \d+\): name another in host.admins/);
    expect(await at("ls /etc/ssh/autollm-keys; cat /etc/sudoers.d/autollm")).not.toContain("statsd");
    configure({ user: "debian", port: 2222 });
    await done();
  });

  test("is not spared from the bans by a login name", async () => {
    const address = host.address.replace(/\d+$/, "68");
    const spared = async (ip: string) =>
      (await at(`/usr/local/lib/autollm/logged-in ${ip} && echo spared || true`)) !== "";
    const accepted = "Accepted publickey for x from 192.0.2.9 port 1 ssh2: RSA SHA256:x";
    // By the config file, since the command line takes no such names.
    const names = [accepted, `x\\n${accepted}`].map(
      (name) =>
        `printf 'Host it\\n User "${name}"\\n' > /tmp/config; ssh -F /tmp/config -p 2222 -o HostName=${host.address} -o BatchMode=yes -o StrictHostKeyChecking=accept-new it 2>&1 || true`,
    );
    await neighbour(names.join("; "), "--ip", address);
    await eventually("the login in the journal", 15, async () =>
      (await at("journalctl --unit ssh --output cat --since -60s")).includes("user Accepted publickey for x")
        ? true
        : undefined,
    );
    expect(await spared("192.0.2.9")).toBe(false);
    expect(await spared(address)).toBe(false);
    const own = (
      await at("journalctl --unit ssh --output cat | grep '^Accepted publickey for deployer' | tail -1")
    ).split(" ")[5];
    expect(await spared(own ?? "")).toBe(true);
  });

  test("stays open when a change of it cannot be proven, also over a reboot", async () => {
    // Somebody's firewall before the host lets nothing through to the new port, after the reboot either.
    await at(
      "echo 'table inet theirs { chain in { type filter hook input priority -300; tcp dport 2200 drop; }; }' > /etc/nftables.conf; nft -f /etc/nftables.conf; systemctl enable --quiet nftables.service",
    );
    configure({ user: "debian", port: 2200, firstPort: 2222 });
    const failing = fault();
    await eventually("the change", 120, async () => ((await at("ss -Hltn")).includes(":2200 ") ? true : undefined));
    expect(await at("systemctl is-enabled autollm-revert-ssh.timer")).toBe("enabled");
    await rebootHost(host.container);
    // The last one: the step looked at what it had done while the host was ending its units.
    expect(await failing).toMatch(
      /no second connection came through on port 2200|lost in the middle|did not answer|ssh\.service does not run/,
    );
    await eventually("the old port", 180, async () =>
      (await login("deployer", undefined, 2222)).stdout.includes("deployer") ? true : undefined,
    );
    expect(await at("ls /etc/systemd/system | grep -c revert || true")).toBe("0");
    await at("systemctl disable --quiet nftables.service; nft delete table inet theirs");
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

  test("takes a new key of the deployments, both for a while, and the old one no more", async () => {
    const [before, after] = [host.privateKeyPath, newKey("deployer")];
    const common = { user: "debian", port: 2222 };
    const open = async () => {
      const codes = [(await login("deployer", before, 2222)).code, (await login("deployer", after, 2222)).code];
      return codes.map((code) => code === 0);
    };
    configure({ ...common, privateKeyPath: after });
    expect(await fault()).toContain("A new key of the deployments is let in by host.deployerKeys before it is used");
    expect(await open()).toEqual([true, false]);

    configure({ ...common, deployerKeys: [publicKey(after)] });
    await done();
    expect(await open()).toEqual([true, true]);

    configure({ ...common, privateKeyPath: after, deployerKeys: [publicKey(before)] });
    await done();
    expect(await open()).toEqual([true, true]);
    expect(await hostDrift()).toEqual([]);

    configure({ ...common, privateKeyPath: after });
    await done();
    expect(await open()).toEqual([false, true]);
    expect(await at("cat /home/deployer/.ssh/authorized_keys /etc/ssh/autollm-keys/deployer | sort -u")).toBe(
      publicKey(after),
    );
    expect(await hostDrift()).toEqual([]);
  });

  test("is as it was before after a destroy, which says what it leaves", async () => {
    const { code, stdout, stderr } = await stack.autollm("pulumi", "destroy", "--yes", "--skip-preview");
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
