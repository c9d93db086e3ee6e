import { type Step, unlessContainer } from "./step.ts";

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

export function auditRules(): string {
  const lines = [
    "# Written by Pulumi (host step audit).",
    "-b 8192",
    "-f 1",
    ...watched.map(([path, key]) => `-w ${path} -p wa -k ${key}`),
    "-a always,exit -F arch=b64 -S init_module,finit_module,delete_module -k modules",
    "-a always,exit -F arch=b64 -S adjtimex,settimeofday,clock_settime -k time",
    "-a always,exit -F arch=b64 -S execve -C uid!=euid -F euid=0 -F auid>=1000 -F auid!=unset -k privileged",
  ];
  return `${lines.join("\n")}\n`;
}

export function auditStep(): Step {
  return {
    name: "audit",
    purpose: "writes down who changes accounts, keys, rights, the firewall, Docker, and who becomes root",
    after: ["packages"],
    files: [{ path: RULES, content: auditRules(), mode: "0640" }],
    // A container has no audit of its own: the rules wait there without effect.
    activate: [
      "if ! systemd-detect-virt --quiet --container; then",
      "  systemctl enable --quiet --now auditd.service >/dev/null 2>&1",
      "  augenrules --load >/dev/null 2>&1",
      "fi",
    ].join("\n"),
    checks: [
      { fault: "auditd does not run", test: unlessContainer("systemctl is-active --quiet auditd.service") },
      {
        fault: "the audit rules are not loaded",
        test: unlessContainer("auditctl -l | grep -q -- '-k docker\\|key=docker'"),
      },
    ],
  };
}
