import { type Step, unlessContainer } from "../step.ts";

const SYSCTL = "/etc/sysctl.d/90-autollm.conf";
const MODULES = "/etc/modprobe.d/autollm.conf";

/** CIS Debian Linux Benchmark 1.5 and 3.3, Lynis KRNL-6000. Forwarding is Docker's and stays on; loose reverse paths suit its bridges. */
export const sysctls: Readonly<Record<string, string>> = {
  "dev.tty.ldisc_autoload": "0",
  "fs.protected_fifos": "2",
  "fs.protected_hardlinks": "1",
  "fs.protected_regular": "2",
  "fs.protected_symlinks": "1",
  "fs.suid_dumpable": "0",
  "kernel.core_uses_pid": "1",
  "kernel.dmesg_restrict": "1",
  "kernel.kptr_restrict": "2",
  "kernel.randomize_va_space": "2",
  "kernel.sysrq": "0",
  "kernel.unprivileged_bpf_disabled": "1",
  "kernel.yama.ptrace_scope": "1",
  "net.ipv4.conf.all.accept_redirects": "0",
  "net.ipv4.conf.all.accept_source_route": "0",
  "net.ipv4.conf.all.log_martians": "1",
  "net.ipv4.conf.all.rp_filter": "2",
  "net.ipv4.conf.all.secure_redirects": "0",
  "net.ipv4.conf.all.send_redirects": "0",
  "net.ipv4.conf.default.accept_redirects": "0",
  "net.ipv4.conf.default.accept_source_route": "0",
  "net.ipv4.conf.default.log_martians": "1",
  "net.ipv4.conf.default.secure_redirects": "0",
  "net.ipv4.conf.default.send_redirects": "0",
  "net.ipv4.icmp_echo_ignore_broadcasts": "1",
  "net.ipv4.icmp_ignore_bogus_error_responses": "1",
  "net.ipv4.tcp_syncookies": "1",
  "net.ipv6.conf.all.accept_redirects": "0",
  "net.ipv6.conf.all.accept_source_route": "0",
  "net.ipv6.conf.default.accept_redirects": "0",
  "net.ipv6.conf.default.accept_source_route": "0",
  // Redis saves by a fork, which wants the memory promised twice.
  "vm.overcommit_memory": "1",
  "vm.swappiness": "10",
};

/** Protocols and file systems that a server has no use for, each with a history of holes. CIS 1.1.1 and 3.2. */
const blocked = [
  "cramfs",
  "dccp",
  "firewire-core",
  "freevxfs",
  "hfs",
  "hfsplus",
  "jffs2",
  "rds",
  "sctp",
  "tipc",
  "udf",
  "usb-storage",
];

export function sysctlFile(): string {
  const lines = Object.entries(sysctls).map(([key, value]) => `${key} = ${value}\n`);
  return `# Written by Pulumi (host step kernel).\n${lines.join("")}`;
}

export function kernelStep(): Step {
  return {
    name: "kernel",
    purpose: "hardens the kernel's settings and keeps modules out that a server does not need",
    after: ["packages"],
    files: [
      { path: SYSCTL, content: sysctlFile() },
      { path: MODULES, content: blocked.map((name) => `install ${name} /bin/false\nblacklist ${name}\n`).join("") },
    ],
    activate: [
      `if [ -f ${SYSCTL} ]; then`,
      // In a container all but the network's settings belong to the machine below.
      `  if systemd-detect-virt --quiet --container; then grep '^net' ${SYSCTL} | sysctl -q -e -p - >/dev/null; else sysctl -q -e -p ${SYSCTL} >/dev/null; fi`,
      "fi",
    ].join("\n"),
    checks: Object.entries(sysctls).map(([key, value]) => {
      const path = `/proc/sys/${key.replaceAll(".", "/")}`;
      const test = `[ ! -e ${path} ] || [ "$(cat ${path})" = ${value} ]`;
      return { fault: `${key} is not ${value}`, test: key.startsWith("net.") ? test : unlessContainer(test) };
    }),
    undo: ":",
    leaves: "the running kernel's settings, until the next boot",
  };
}
