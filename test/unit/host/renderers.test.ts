import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { sudoers } from "../../../components/host/accounts.ts";
import { auditRules } from "../../../components/host/audit.ts";
import { fail2banJail } from "../../../components/host/bans.ts";
import { daemonSettings, HOLDS, MERGE } from "../../../components/host/engine.ts";
import { nftRules } from "../../../components/host/firewall.ts";
import { sshdDropIn, sshdSettings } from "../../../components/host/ssh.ts";
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
    expect(rules).toContain("ip saddr { 192.0.2.0/24 } tcp dport 2222 accept");
    expect(rules).toContain("ip6 saddr { 2001:db8::/32 } tcp dport 2222 accept");
    expect(rules).toMatch(/\n {4}tcp dport 2222 accept\n/);
    expect(nftRules({ ...options, trustedNetworks: [] })).not.toContain("saddr {  }");
  });

  test.runIf(process.getuid?.() === 0 && installed("nft"))("are what nft takes", () => {
    const { status, stderr } = spawnSync("nft", ["--check", "--file", "-"], { input: rules, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });
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
    for (const line of auditRules()
      .split("\n")
      .filter((text) => /^-[wa]/.test(text)))
      expect(line).toMatch(/ -k \w+$/);
  });
});
