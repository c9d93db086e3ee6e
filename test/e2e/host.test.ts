import { readFileSync, renameSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../tools/lib/run.ts";
import { type Stage, stage } from "./host/stage.ts";
import { eventually } from "./lib/http.ts";
import { quicVersions } from "./lib/raw.ts";

/** Ports that must not answer: Docker's API, the platform's own, a name server. */
const CLOSED = [53, 2375, 3000, 4002, 4222, 5432, 5900, 6379, 8000, 8080, 9090];

describe("a bare Debian 13 host", () => {
  let { at, host, login, neighbour, remove, stack, configureAll } = {} as Stage;

  /** Which of the ports answer somebody who stands beside the host in its network. */
  const answering = async (address: string, ports: readonly number[]): Promise<number[]> => {
    const script = `for port in ${ports.join(" ")}; do if timeout 1 bash -c "exec 3<>/dev/tcp/${address}/$port" 2>/dev/null; then echo $port; fi; done`;
    return (await neighbour(script)).split("\n").filter(Boolean).map(Number);
  };

  beforeAll(async () => {
    ({ at, host, login, neighbour, remove, stack, configureAll } = await stage("e2e-host"));
  });
  afterAll(() => remove?.());

  test("whose key is not the pinned one is refused, before anything is done", async () => {
    const other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM+XRGrpIW+u7RKXeVCiLdCjoVg59vAY2rm4pJUYJjMb";
    configureAll({ hostKey: other });
    const { code, stdout, stderr } = await stack.autollm("up");
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain("is not the pinned one");
    expect(await at("id deployer 2>&1 || true")).toContain("no such user");
  });

  test("becomes the platform's host in one up", async () => {
    configureAll();
    const { code, stdout, stderr } = await stack.autollm("up");
    expect(code, stdout + stderr).toBe(0);
    const health = [
      "--silent",
      "--insecure",
      "--connect-to",
      `localhost:443:${host.address}:443`,
      "https://localhost/health",
    ];
    await eventually("the platform's health", 60, async () => {
      const { stdout: answer } = await run("curl", health, { allowFailure: true });
      return answer.trim() === "ok" ? true : undefined;
    });
  });

  test("changes nothing at the second up, and shows no drift", async () => {
    const { stderr } = await stack.autollm("up");
    expect(stderr).toContain("nothing changes: ");
    expect(await stack.pulumi("preview", "--expect-no-changes")).toMatch(/\d+ unchanged/);
    const drift = await stack.autollm("drift", "--json");
    expect(drift.stdout).toBe('{\n  "drift": []\n}\n');
    expect(drift.code).toBe(0);
  });

  test("is previewed as it is by somebody who has no key, without a connection; and the state holds none", async () => {
    const { privateKeyPath: key } = host;
    const secret = readFileSync(key, "utf8").split("\n").slice(1, 3).join("");
    // A connection that Docker's client keeps open for a minute would serve a preview, too.
    await eventually("the last connection's end", 120, async () =>
      (await at("ss -Htn state established '( sport = :22 )'")) === "" ? true : undefined,
    );
    const logins = async () =>
      (await at("journalctl --unit ssh --no-pager | grep -E 'Accepted|Connection (from|closed)|Failed' || true")).split(
        "\n",
      );
    const before = await logins();
    renameSync(key, `${key}.aside`);
    try {
      const { code, stdout, stderr } = await stack.autollm("preview");
      expect(code, stdout + stderr).toBe(0);
      expect(stdout).toMatch(/Resources:\s+\d+ unchanged/);
    } finally {
      renameSync(`${key}.aside`, key);
    }
    expect((await logins()).slice(before.length)).toEqual([]);
    const state = await stack.pulumi("stack", "export", "--show-secrets");
    expect(secret.length).toBeGreaterThan(100);
    expect(state.replaceAll("\\n", "").includes(secret), "the key is in the state").toBe(false);
  });

  test("lets root in no more, nobody with a password, and the deployer with its key", async () => {
    expect((await login("root", host.privateKeyPath)).code).not.toBe(0);
    expect((await login("deployer", host.privateKeyPath)).stdout).toContain("deployer");
    const effective = (await at("sshd -T")).split("\n");
    for (const line of ["permitrootlogin no", "passwordauthentication no", "maxauthtries 3", "x11forwarding no"])
      expect(effective).toContain(line);
    expect(await at("id -nG trader")).not.toMatch(/docker|sudo/);
  });

  test("answers on 22, 80 and 443 only, though a container publishes another port", async () => {
    const image = (await at("docker images --quiet")).split("\n")[0];
    await at(`docker run --detach --name stray --publish 8080:80 --publish 5432:80 --entrypoint sleep ${image} 600`);
    expect(await answering(host.address, [22, 80, 443, ...CLOSED])).toEqual([22, 80, 443]);
    if (host.address6 !== "") expect(await answering(host.address6, [22, ...CLOSED])).toEqual([22]);
    await at("docker rm --force stray");
  });

  test("has Docker, bans and updates as declared", async () => {
    expect(JSON.parse(await at("cat /etc/docker/daemon.json"))).toMatchObject({
      "live-restore": true,
      "userland-proxy": false,
      "log-opts": { "max-size": "10m", "max-file": "3" },
    });
    for (const [key, value] of [
      ["maxretry", "3"],
      ["findtime", "600"],
      ["bantime", "3600"],
    ] as const)
      expect(await at(`fail2ban-client get sshd ${key}`)).toBe(value);
    expect(await at("apt-mark showhold")).toBe("");
    expect(await at("grep -c host_security /var/lib/autollm/metrics/upgrades.prom")).not.toBe("0");
    expect(await at("stat -c '%a %U' /var/lib/autollm/secrets")).toBe("700 root");
  });

  test("bans from the edge who is refused again and again, and from nothing else", async () => {
    const edge = ["--silent", "--insecure", "--max-time", "5", "--connect-to", `localhost:443:${host.address}:443`];
    const healthy = async () =>
      (await run("curl", [...edge, "https://localhost/health"], { allowFailure: true })).stdout;
    expect((await healthy()).trim()).toBe("ok");
    expect(await quicVersions(443, host.address)).toContain("00000001");
    // A client that is banned by sshd makes the chain that all jails share by default, at the input hook.
    await at("fail2ban-client set sshd banip 192.0.2.1");
    await run("curl", [...edge, "--output", "/dev/null", "https://localhost/prometheus/?n=[1-130]"], {
      allowFailure: true,
    });
    await eventually("the ban", 30, async () => ((await healthy()) === "" ? true : undefined));
    await expect(quicVersions(443, host.address, 5)).rejects.toThrow("no answer over UDP");
    expect((await login("deployer", host.privateKeyPath)).stdout).toContain("deployer");
    const banned = /Banned IP list:\s*(\S+)/.exec(await at("fail2ban-client status autollm-edge"))?.[1];
    await at(`fail2ban-client set autollm-edge unbanip ${banned}`);
    await eventually("the way in again", 30, async () => ((await healthy()).trim() === "ok" ? true : undefined));
    expect(await quicVersions(443, host.address)).toContain("00000001");
    await at("fail2ban-client set sshd unbanip 192.0.2.1");
  });

  test("shows what was changed by hand, and repairs it", async () => {
    await at("echo 'PermitRootLogin yes' > /etc/ssh/sshd_config.d/00-autollm.conf; systemctl reload ssh");
    await at(
      "systemctl stop autollm-firewall-watch; nft add rule inet autollm input tcp dport 9999 accept; apt-mark hold runc; useradd --create-home --shell /bin/bash eve",
    );
    await at("docker stop $(docker ps --quiet --filter label=autollm.service=caddy)");
    const drift = await stack.autollm("drift");
    expect(drift.code).toBe(2);
    expect(drift.stdout).toContain("00-autollm.conf was changed");
    expect(drift.stdout).toContain("rules in the kernel are not those declared");
    expect(drift.stdout).toContain("the package runc is held");
    expect(drift.stdout).toContain("account with a login shell that nobody declared");
    expect(drift.stdout).toMatch(/Container caddy/);
    await at("userdel --remove eve");
    expect((await stack.autollm("drift", "--repair")).code).toBe(0);
    await stack.pulumi("up", "--refresh", "--yes", "--skip-preview", "--suppress-outputs");
    const after = await stack.autollm("drift");
    expect(after.stdout).toBe("nothing differs from what was declared\n");
  });
});
