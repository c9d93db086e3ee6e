import { type Step, unlessContainer } from "../step.ts";

const RULES = "/etc/audit/rules.d/50-autollm.rules";

/** What is written down when it changes: path and the key to search by. CIS Debian Linux Benchmark 6.3.3, CIS Docker 1.1.x. */
const watched: readonly (readonly [path: string, key: string])[] = [
  ["/etc/passwd", "identity"],
  ["/etc/group", "identity"],
  ["/etc/shadow", "identity"],
  ["/etc/gshadow", "identity"],
  ["/etc/sudoers", "scope"],
  ["/etc/sudoers.d/", "scope"],
  ["/etc/ssh/", "sshd"],
  ["/etc/pam.d/", "login"],
  ["/etc/nftables.conf", "firewall"],
  ["/etc/autollm/", "autollm"],
  ["/etc/docker/", "docker"],
  ["/usr/bin/dockerd", "docker"],
  ["/usr/bin/containerd", "docker"],
  ["/etc/systemd/system/", "units"],
  ["/etc/cron.d/", "cron"],
  ["/etc/localtime", "time"],
];

/** One that is not there yet would be watched as a file: nothing that is made in it later would be written down. */
const directories = watched.flatMap(([path]) => (path.endsWith("/") ? [path] : []));

/** Calls that are written down. No two have the same key: auditctl tells a loaded one in other words, and by the key it is found. */
const calls: readonly (readonly [rule: string, key: string])[] = [
  ["-a always,exit -F arch=b64 -S init_module,finit_module,delete_module", "modules"],
  ["-a always,exit -F arch=b64 -S adjtimex,settimeofday,clock_settime", "time"],
  ["-a always,exit -F arch=b64 -S execve -C uid!=euid -F euid=0 -F auid>=1000 -F auid!=unset", "privileged"],
];

/** Each rule as it is declared, and a shell test that the kernel has it. */
export const auditRules: readonly { readonly rule: string; readonly loaded: string }[] = [
  ...watched.map(([path, key]) => ({
    rule: `-w ${path} -p wa -k ${key}`,
    loaded: `auditctl -l | grep -qxF -e '-w ${path.replace(/\/$/, "")} -p wa -k ${key}'`,
  })),
  ...calls.map(([rule, key]) => ({
    rule: `${rule} -k ${key}`,
    loaded: `auditctl -l | grep -q -e '^-a always,exit .*key=${key}$'`,
  })),
];

export function auditFile(): string {
  const lines = ["# Written by Pulumi (host step audit).", "-b 8192", "-f 1", ...auditRules.map(({ rule }) => rule)];
  return `${lines.join("\n")}\n`;
}

export function auditStep(): Step {
  return {
    name: "audit",
    purpose: "writes down who changes accounts, keys, rights, the firewall, Docker, and who becomes root",
    after: ["packages"],
    prepare: `mkdir -p ${directories.join(" ")}`,
    files: [{ path: RULES, content: auditFile(), mode: "0640" }],
    // A container has no audit of its own: the rules wait there without effect.
    activate: [
      "if ! systemd-detect-virt --quiet --container; then",
      "  systemctl enable --quiet --now auditd.service >/dev/null 2>&1",
      // At the first rule that the kernel refuses, all that come after it are left out: the checks name them, and this says why.
      '  if ! report=$(augenrules --load 2>&1); then echo "$report" | grep -i error >&2 || true; fi',
      "fi",
    ].join("\n"),
    checks: [
      { fault: "auditd does not run", test: unlessContainer("systemctl is-active --quiet auditd.service") },
      ...auditRules.map(({ rule, loaded }) => ({
        fault: `the kernel has not loaded the audit rule ${rule}`,
        test: unlessContainer(loaded),
      })),
    ],
  };
}
