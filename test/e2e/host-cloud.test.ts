import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Stage, stage } from "./host/stage.ts";

/** What cloud-init and a provider's template leave on a fresh machine. */
const CLOUD = String.raw`
apt-get -qq update; apt-get -qq install --yes sudo >/dev/null 2>&1
useradd --create-home --shell /bin/bash debian
cp -a /root/.ssh /home/debian/; chown -R debian: /home/debian/.ssh
echo 'debian ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/90-cloud-init-users
sed -i "s|^|no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command=\"echo 'Please login as the user \\\\\"debian\\\\\" rather than the user \\\\\"root\\\\\".';echo;sleep 10;exit 142\" |" /root/.ssh/authorized_keys
printf 'PasswordAuthentication yes\n' > /etc/ssh/sshd_config.d/50-cloud-init.conf
printf 'Match User debian\n  PasswordAuthentication yes\n  MaxAuthTries 20\n' > /etc/ssh/sshd_config.d/60-cloudimg.conf
echo 'deb cdrom:[Debian GNU/Linux 13.1.0 _Trixie_ - Official amd64 NETINST]/ trixie main' >> /etc/apt/sources.list
rm -f /var/lib/apt/lists/*_InRelease
mkdir -p /etc/systemd/system/ssh.socket.d
printf '[Socket]\nListenStream=\nListenStream=2222\n' > /etc/systemd/system/ssh.socket.d/port.conf
systemctl daemon-reload; systemctl disable --quiet --now ssh.service; systemctl enable --quiet --now ssh.socket
`;

const PORTS = { port: 2222, firstPort: 2222 };
const listeners = "ss -Hltn | awk '{print $4}' | grep -E ':(22|2222)$' | sed 's/.*://' | sort -u";

describe("a host that a cloud's image makes", () => {
  let { at, configure, fault, setUp, host, login, remove, stack } = {} as Stage;

  const done = async () => {
    const { code, stdout, stderr } = await setUp();
    expect(code, stdout + stderr).toBe(0);
  };

  beforeAll(async () => {
    ({ at, configure, fault, setUp, host, login, remove, stack } = await stage("e2e-host-cloud"));
    await at(CLOUD);
  });
  afterAll(() => remove?.());

  test("says which account it wants instead of root", async () => {
    configure(PORTS);
    expect(await fault()).toMatch(
      /lets nobody in as root: it says 'Please login as the user "debian" .*'\. Set host\.user to that account/,
    );
    expect(await at("id deployer 2>&1 || true")).toContain("no such user");
  });

  test("is set up by that account, and its own ways in are closed", async () => {
    configure({ ...PORTS, user: "debian" });
    await done();
    expect(await at(listeners)).toBe("2222");
    expect(await at("systemctl is-enabled ssh.service ssh.socket || true")).toBe("enabled\ndisabled");
    expect((await login("deployer", undefined, 2222)).stdout).toContain("deployer");
    expect((await login("debian", undefined, 2222)).code).not.toBe(0);
    expect(await at("sshd -T -C user=debian,addr=192.0.2.9 | grep -E '^(maxauth|passwordauth)' | sort")).toBe(
      "maxauthtries 10\npasswordauthentication no",
    );
    expect(await at("su - debian -c id 2>&1 || true")).toContain("expired");
    expect(await at("grep -c '^# deb cdrom:' /etc/apt/sources.list")).toBe("1");
    const { drift } = JSON.parse((await stack.autollm("drift", "--json")).stdout) as { drift: { where: string }[] };
    expect(drift.filter(({ where }) => where.startsWith("host "))).toEqual([]);
  });

  test("lets that account in where it is declared", async () => {
    const key = (await at("cat /home/debian/.ssh/authorized_keys")).split(" ").slice(0, 2).join(" ");
    configure({ ...PORTS, user: "debian", admins: { debian: [key] } });
    await done();
    expect((await login("debian", host.privateKeyPath, 2222)).stdout).toContain("debian");
    configure({ ...PORTS, user: "debian" });
    await done();
    expect((await login("debian", host.privateKeyPath, 2222)).code).not.toBe(0);
  });

  test("closes an account that somebody makes, by `drift --repair`", async () => {
    await at("useradd --create-home --shell /bin/bash eve");
    expect((await stack.autollm("drift")).stdout).toContain("account with a login shell that nobody declared");
    expect((await stack.autollm("drift", "--repair")).code).toBe(0);
    expect(await at("getent passwd eve | cut -d: -f7")).toBe("/usr/sbin/nologin");
  });

  test("is as it was before after a destroy", async () => {
    const { code, stdout, stderr } = await stack.autollm("pulumi", "destroy", "--yes", "--skip-preview");
    expect(code, stdout + stderr).toBe(0);
    expect(await at(listeners)).toBe("2222");
    expect(await at("systemctl is-active ssh.socket")).toBe("active");
    expect((await login("debian", undefined, 2222)).stdout).toContain("debian");
  });
});
