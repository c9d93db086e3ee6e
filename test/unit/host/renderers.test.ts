import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { destinationFault } from "../../../components/host/egress.ts";
import { readKeyPair } from "../../../components/host/keys.ts";
import { sudoers } from "../../../components/host/steps/accounts.ts";
import { auditFile, auditRules } from "../../../components/host/steps/audit.ts";
import { daemonSettings, HOLDS, MERGE } from "../../../components/host/steps/docker.ts";
import { ACCEPTED, fail2banJail } from "../../../components/host/steps/fail2ban.ts";
import { nftRules, SSH_PORT_FILE } from "../../../components/host/steps/firewall.ts";
import { packagesStep } from "../../../components/host/steps/packages.ts";
import { sshdDropIn, sshdSettings, sshStep } from "../../../components/host/steps/ssh.ts";
import { upgradesPolicy, upgradesStep } from "../../../components/host/steps/upgrades.ts";
import { systemAccounts } from "../../../components/host/systemAccounts.ts";
import { options } from "./options.ts";

const installed = (program: string) => spawnSync("which", [program]).status === 0;

describe("sshd's settings", () => {
  test("let in the named accounts only, with keys only", () => {
    expect(sshdSettings(options)).toMatchObject({
      AllowUsers: "ada deployer",
      PermitRootLogin: "no",
      PasswordAuthentication: "no",
      KbdInteractiveAuthentication: "no",
      AuthenticationMethods: "publickey",
      MaxAuthTries: "3",
      X11Forwarding: "no",
      Port: "2222",
    });
  });

  test("show no host key on NIST's curves, except the pinned one: that would lock the deployments out", () => {
    const shown = (hostKey: string) => sshdSettings({ ...options, hostKey }).HostKeyAlgorithms?.split(",");
    expect(shown("ssh-ed25519 CCCC")).toEqual(["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]);
    expect(shown("ssh-rsa CCCC")).toEqual(["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]);
    expect(shown("ecdsa-sha2-nistp256 CCCC")).toContain("ecdsa-sha2-nistp256");
  });

  test("take an agent with ten keys of every name that could be a person's, and three tries of all others", () => {
    const lines = sshdDropIn(options).split("\n");
    const people = lines.indexOf("Match User *,!root,!deployer");
    expect(lines.slice(people, people + 3)).toEqual(["Match User *,!root,!deployer", "  MaxAuthTries 10", "Match all"]);
    expect(lines.filter((line) => line.trim() === "MaxAuthTries 3")).toHaveLength(2);
  });

  test("stand in a block for everybody as well, before which no other file's blocks come", () => {
    const [outside = "", inside = ""] = sshdDropIn(options).split("Match all\n");
    const blocked = Object.keys(sshdSettings(options)).filter((key) => new RegExp(`^  ${key} `, "m").test(inside));
    expect(blocked).toEqual(
      expect.arrayContaining(["PasswordAuthentication", "AuthorizedKeysFile", "AuthorizedKeysCommand", "AllowUsers"]),
    );
    for (const key of Object.keys(sshdSettings(options))) expect(outside).toMatch(new RegExp(`^${key} `, "m"));
  });

  test("take over from a socket with sshd stopped: systemd may lose a running one that it gives a second name", () => {
    const { activate = "" } = sshStep(options);
    const order = [
      "disable --quiet --now ssh.socket",
      "stop ssh.service",
      "enable --quiet ssh.service",
      "restart ssh.service",
    ];
    const places = order.map((words) => activate.indexOf(`systemctl ${words}`));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  test("leave room for many calls over one connection", () => {
    expect(Number(sshdSettings(options).MaxSessions)).toBeGreaterThan(20);
    expect(sshdDropIn(options)).toMatch(/^MaxStartups 60:30:120$/m);
  });
});

describe("the firewall's rules", () => {
  const rules = nftRules(options);

  test("replace our own table and flush nobody's", () => {
    expect(rules).not.toContain("flush");
    expect(rules).toContain("delete table inet autollm");
  });

  test("drop all that is not listed, towards the host and towards containers", () => {
    expect(rules).toContain("hook input priority filter - 5; policy drop;");
    expect(rules).toContain("ct status dnat ct original proto-dst { 80, 443 } accept\n");
  });

  test("let SSH in on its port, trusted networks without a limit", () => {
    expect(rules).toContain("define ssh_port = 2222");
    expect(rules).toContain("ip saddr { 192.0.2.0/24 } tcp dport $ssh_port accept");
    expect(rules).toContain("ip6 saddr { 2001:db8::/32 } tcp dport $ssh_port accept");
    expect(rules).toMatch(/\n {4}tcp dport \$ssh_port accept\n/);
    expect(nftRules({ ...options, trustedNetworks: [] })).not.toContain("saddr {  }");
  });

  test("judge what a container began before what is established, towards the host and outwards", () => {
    for (const chain of ["input", "forward"]) {
      const lines = (rules.split(`chain ${chain} {`)[1] ?? "").split("\n");
      const judged = lines.findIndex((line) => /iifname .*"br-\*".* ct direction original/.test(line));
      const established = lines.findIndex((line) => line.includes("ct state established,related accept"));
      expect(judged).toBeGreaterThan(0);
      expect(judged).toBeLessThan(established);
    }
    // No bridge may leave without the chain `egress`.
    expect(rules).not.toMatch(/iifname \{[^}]*"br-\*"[^}]*\} accept/);
  });

  test("close metadata services before what is declared, and private networks after it", () => {
    const chain = /chain egress \{([\s\S]*?)\n {2}\}/.exec(rules)?.[1] ?? "";
    const order = ["169.254.0.0/16", "daddr 10.9.0.0/16 accept", "10.0.0.0/8", "ip6 daddr != 2000::/3"];
    const places = order.map((text) => chain.indexOf(text));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
    expect(chain).toContain("ip6 daddr fd00:9::/64 meta l4proto { tcp, udp } th dport { 443, 5432 } accept");
    expect(chain).toContain("ip daddr 198.51.100.7 counter drop");
    for (const address of ["168.63.129.16", "100.100.100.200", "192.0.0.0/24", "fd00:ec2::/32", "fd20:ce::254"])
      expect(chain).toContain(address);
  });

  test.runIf(process.getuid?.() === 0 && installed("nft"))("are what nft takes", () => {
    const { status, stderr } = spawnSync("nft", ["--check", "--file", "-"], { input: rules, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });
});

describe("a declared private destination", () => {
  test.each(["10.0.0.0/8", "10.1.2.3", "192.168.7.0/24", "100.64.0.0/10", "fd12::/48"])("may be %s", (network) =>
    expect(destinationFault(network)).toBeUndefined(),
  );

  test.each(["169.254.169.254", "169.254.0.0/16", "100.100.100.200/32", "fd00:ec2::254", "168.63.129.16", "224.0.0.1"])(
    "is not %s, which stays closed",
    (network) => expect(destinationFault(network)).toContain("stays closed"),
  );

  test.each(["0.0.0.0/0", "10.0.0.0/7", "8.8.8.8", "2600::/12", "::/0", "fc00::/6"])(
    "is not %s, which is not private alone",
    (network) => expect(destinationFault(network)).toContain("is not inside one private range"),
  );
});

describe("the step ssh", () => {
  test("adds no rule to the firewall: it says the port, and has the rules loaded where they have another", () => {
    const step = sshStep(options);
    expect(step.files).toContainEqual({ path: SSH_PORT_FILE, content: "redefine ssh_port = 2222\n", mode: "0600" });
    expect(step.prepare ?? "").not.toContain("nft");
    // That of a host which an earlier version set up, whose rules the step firewall replaces.
    expect(step.activate?.match(/nft insert/g)).toHaveLength(1);
    expect(step.activate).toContain("else nft insert");
  });
});

describe("accounts", () => {
  test.each(["root", "www-data", "backup", "mail", "sshd", "deployer", "trader", "docker", "sudo"])(
    "%s is a system account",
    (name) => expect(systemAccounts.has(name)).toBe(true),
  );
});

describe("the key pair of the deployments", () => {
  const folder = mkdtempSync(join(tmpdir(), "autollm-keys-"));
  const make = (name: string, passphrase = "") => {
    const path = join(folder, name);
    spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", passphrase, "-f", path]);
    return path;
  };
  afterAll(() => rmSync(folder, { recursive: true }));

  test("is read, the comment left out", () => {
    expect(readKeyPair(make("one")).publicKey).toMatch(/^ssh-ed25519 \S+$/);
  });

  test("is refused when its halves are of two pairs: the host would let in the other one", () => {
    const path = make("two");
    writeFileSync(`${path}.pub`, readFileSync(`${make("three")}.pub`));
    expect(() => readKeyPair(path)).toThrow("two.pub is not the public key of");
  });

  test("is refused when it has a passphrase", () => {
    expect(() => readKeyPair(make("four", "not a secret"))).toThrow("has a passphrase");
  });
});

describe("security fixes", () => {
  const unit = (path: string, time = "05:00") =>
    upgradesStep({ ...options, upgradeTime: time }).files?.find((file) => file.path.endsWith(path))?.content;

  test("are installed at the declared time, and at no other", () => {
    expect(unit("autollm-upgrades.timer", "21:15")).toContain("OnCalendar=*-*-* 21:15:00 UTC\n");
    expect(unit("autollm-upgrades.timer")).not.toContain("Persistent");
    expect(unit("91autollm-periodic")).toContain('APT::Periodic::Unattended-Upgrade "0";');
  });

  test("come from Debian's security archive, and from Docker's own where Docker does", () => {
    expect(upgradesPolicy({ docker: { source: "debian" } })).not.toContain("origin=Docker");
    expect(upgradesPolicy({ docker: { source: "docker" } })).toContain("origin=Docker,label=Docker CE");
    expect(upgradesPolicy({ docker: { source: "docker" } })).toContain("label=Debian-Security");
  });

  test.each(["debian", "docker"] as const)(
    "reach Docker of the source %s: nothing is held when the step ends",
    (source) => {
      const step = packagesStep({ ...options, docker: { source } });
      const marks = (step.prepare ?? "").split("\n").filter((line) => line.startsWith("apt_mark "));
      expect(marks.at(-1)).toMatch(
        /^apt_mark unhold (docker.io docker-cli containerd runc|docker-ce docker-ce-cli containerd.io)$/,
      );
      expect(step.checks?.map(({ fault }) => fault)).not.toContainEqual(expect.stringContaining("is not held"));
    },
  );
});

describe.runIf(installed("jq"))("who logged in with a key, of sshd's lines", () => {
  const accepted = (ip: string, ...messages: unknown[]) =>
    spawnSync("jq", ["--null-input", "--exit-status", "--arg", "ip", ip, ACCEPTED], {
      input: messages.map((message) => JSON.stringify({ MESSAGE: message })).join("\n"),
    }).status === 0;
  const line = "Accepted publickey for deployer from 192.0.2.7 port 51234 ssh2: ED25519 SHA256:abc";

  test("is read from the whole line", () => {
    expect(accepted("192.0.2.7", "Connection closed", line)).toBe(true);
    expect(accepted("192.0.2.8", line)).toBe(false);
    expect(accepted("192x0.2.7", line)).toBe(false);
    expect(accepted("2001:db8::7", line.replace("192.0.2.7", "2001:db8::7"))).toBe(true);
  });

  test.each([
    [
      "a login name",
      "Invalid user Accepted publickey for x from 192.0.2.7 port 1 ssh2: RSA SHA256:x from 192.0.2.9 port 2",
    ],
    ["a login name with a line break", `Invalid user x\n${line} from 192.0.2.9 port 2`],
    ["a name that begins so", "Invalid user  from 192.0.2.7 port 1"],
    ["bytes that are no text", [65, 99, 99]],
  ])("is not told by %s", (_, message) => expect(accepted("192.0.2.7", message)).toBe(false));

  test("is nobody where nothing is logged", () => expect(accepted("192.0.2.7")).toBe(false));
});

describe("fail2ban's jail", () => {
  test("bans after 3 tries within 600 s for 3600 s, on sshd's port", () => {
    const jail = fail2banJail(options);
    for (const line of ["maxretry = 3", "findtime = 600", "bantime = 3600", "port = 2222", "backend = systemd"])
      expect(jail.split("\n")).toContain(line);
  });

  test("hears the program that tells of failed logins since OpenSSH 9.8, and spares trusted networks", () => {
    const jail = fail2banJail(options);
    expect(jail).toContain("_COMM=sshd-session");
    expect(jail).toContain("ignoreip = 127.0.0.1/8 ::1 192.0.2.0/24 2001:db8::/32");
  });
});

describe.runIf(installed("jq"))("the merge of daemon.json", () => {
  const jq = (filter: string, ...inputs: unknown[]): unknown => {
    const input = inputs.map((each) => JSON.stringify(each)).join("\n");
    const { stdout } = spawnSync("jq", ["--slurp", "--compact-output", filter], { input, encoding: "utf8" });
    return JSON.parse(stdout);
  };

  test("keeps what is theirs and sets what is ours", () => {
    const theirs = { "registry-mirrors": ["https://mirror.example"], icc: true, "log-opts": { labels: "a" } };
    const merged = jq(MERGE, theirs, theirs, {}, daemonSettings);
    expect(merged).toMatchObject({ "registry-mirrors": ["https://mirror.example"], icc: false });
    expect(merged).toMatchObject({ "log-opts": { labels: "a", "max-size": "10m", "max-file": "3" } });
    expect(jq(HOLDS, merged, daemonSettings)).toBe(true);
    expect(jq(HOLDS, theirs, daemonSettings)).toBe(false);
  });

  test("is the same when done again", () => {
    const once = jq(MERGE, {}, {}, {}, daemonSettings);
    expect(jq(MERGE, once, {}, daemonSettings, daemonSettings)).toEqual(once);
  });

  test("gives back what we no longer set", () => {
    const before = { icc: true, dns: ["192.0.2.1"] };
    const now = { icc: false, dns: ["192.0.2.1"], "live-restore": true };
    expect(jq(MERGE, now, before, { icc: false, "live-restore": true }, {})).toEqual(before);
  });
});

describe("other files", () => {
  test("sudo asks for no password, since nobody has one", () => {
    expect(sudoers(["b", "a"]).split("\n")).toEqual([
      "Defaults:a !authenticate",
      "a ALL=(ALL:ALL) ALL",
      "Defaults:b !authenticate",
      "b ALL=(ALL:ALL) ALL",
      "",
    ]);
  });

  test("the audit rules each have a key to search by", () => {
    for (const line of auditFile()
      .split("\n")
      .filter((text) => /^-[wa]/.test(text)))
      expect(line).toMatch(/ -k \w+$/);
  });

  test("the audit rules are each looked for, and none is taken for another", () => {
    expect(auditRules).toHaveLength(19);
    expect(new Set(auditRules.map(({ loaded }) => loaded)).size).toBe(auditRules.length);
    // As auditctl of Debian 13 tells them.
    const told = [
      "-w /etc/sudoers.d -p wa -k scope",
      "-a always,exit -F arch=b64 -S execve -C uid!=euid -F euid=0 -F auid>=1000 -F auid!=-1 -F key=privileged",
      "-a always,exit -F arch=b64 -S adjtimex,settimeofday,clock_settime -F key=time",
    ].join("\n");
    const loaded = auditRules.filter(({ loaded }) => {
      const script = `auditctl() { printf '%s\\n' "$TOLD"; }\n${loaded}`;
      return spawnSync("sh", ["-c", script], { env: { ...process.env, TOLD: told } }).status === 0;
    });
    expect(loaded.map(({ rule }) => rule)).toEqual([
      "-w /etc/sudoers.d/ -p wa -k scope",
      "-a always,exit -F arch=b64 -S adjtimex,settimeofday,clock_settime -k time",
      "-a always,exit -F arch=b64 -S execve -C uid!=euid -F euid=0 -F auid>=1000 -F auid!=unset -k privileged",
    ]);
  });
});
