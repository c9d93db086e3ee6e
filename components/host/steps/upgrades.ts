import { readFileSync } from "node:fs";
import type { HostOptions } from "../options.ts";
import { type Step, unitRuns } from "../step.ts";
import { METRICS_DIR } from "./directories.ts";

const SCRIPT = "/usr/local/lib/autollm/upgrades";
const METRICS = `${METRICS_DIR}/upgrades.prom`;
const UNITS = "/etc/systemd/system";
const INSTALL = "autollm-upgrades";
const REPORT = "autollm-upgrades-report";
/** Debian's own timers, which would install at an hour of their own. */
const DEBIANS = "apt-daily.timer apt-daily-upgrade.timer";

/** Security fixes by their origin. Docker's own repository has none for them alone: there, each newer version counts. */
export function upgradesPolicy({ docker }: Pick<HostOptions, "docker">): string {
  const origins = [
    `"origin=Debian,codename=\${distro_codename}-security,label=Debian-Security";`,
    ...(docker.source === "docker" ? ['"origin=Docker,label=Docker CE";'] : []),
  ];
  return `// Written by Pulumi (host step upgrades). Security fixes only, and never a reboot: trading decides when.
#clear Unattended-Upgrade::Origins-Pattern;
#clear Unattended-Upgrade::Package-Blacklist;
Unattended-Upgrade::Origins-Pattern { ${origins.join(" ")} };
Unattended-Upgrade::Automatic-Reboot "false";
Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";
Unattended-Upgrade::SyslogEnable "true";
`;
}

const PERIODIC = `APT::Periodic::Update-Package-Lists "0";
APT::Periodic::Unattended-Upgrade "0";
APT::Periodic::AutocleanInterval "0";
`;

const service = (description: string, command: string): string => `[Unit]
Description=${description}
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=${command}
KillMode=process
TimeoutStopSec=900
`;

/** Not caught up with after a boot: the hour is the declared one. */
const installTimer = (time: string): string => `[Unit]
Description=Installs security fixes at ${time} UTC

[Timer]
OnCalendar=*-*-* ${time}:00 UTC
AccuracySec=1

[Install]
WantedBy=timers.target
`;

const REPORT_TIMER = `[Unit]
Description=Looks for security fixes every 6 hours, and after a boot

[Timer]
OnBootSec=180
OnUnitActiveSec=6h
RandomizedDelaySec=120

[Install]
WantedBy=timers.target
`;

export function upgradesStep(options: HostOptions): Step {
  return {
    name: "upgrades",
    purpose: `installs security fixes, Docker's too, each day at ${options.upgradeTime} UTC, without a reboot, and tells what waits as a metric`,
    after: ["packages", "directories"],
    files: [
      { path: "/etc/apt/apt.conf.d/91autollm-periodic", content: PERIODIC },
      { path: "/etc/apt/apt.conf.d/92autollm-upgrades", content: upgradesPolicy(options) },
      { path: SCRIPT, content: readFileSync(new URL("./upgrades.sh", import.meta.url), "utf8"), mode: "0755" },
      { path: `${UNITS}/${INSTALL}.service`, content: service("Installs security fixes", `${SCRIPT} install`) },
      { path: `${UNITS}/${INSTALL}.timer`, content: installTimer(options.upgradeTime) },
      { path: `${UNITS}/${REPORT}.service`, content: service("Looks for security fixes", SCRIPT) },
      { path: `${UNITS}/${REPORT}.timer`, content: REPORT_TIMER },
    ],
    activate: [
      "apt-config dump >/dev/null || { echo 'apt refuses the settings' >&2; exit 1; }",
      "systemctl daemon-reload",
      `if [ -f ${SCRIPT} ]; then`,
      `  systemctl disable --quiet --now ${DEBIANS} >/dev/null 2>&1 || true`,
      `  systemctl enable --quiet ${INSTALL}.timer ${REPORT}.timer >/dev/null 2>&1`,
      `  systemctl restart ${INSTALL}.timer ${REPORT}.timer`,
      // A mirror that does not answer is told by its alert.
      `  systemctl start ${REPORT}.service || true`,
      "fi",
    ].join("\n"),
    checks: [
      ...unitRuns(`${INSTALL}.timer`),
      ...unitRuns(`${REPORT}.timer`),
      { fault: "nothing tells which security fixes wait", test: `[ -s ${METRICS} ]` },
      {
        fault: "security fixes are also installed at another hour",
        test: `for timer in ${DEBIANS}; do if systemctl is-enabled --quiet $timer || systemctl is-active --quiet $timer; then exit 1; fi; done`,
      },
      {
        fault: "unattended upgrades may reboot",
        test: `apt-config dump Unattended-Upgrade::Automatic-Reboot | grep -q '"false"'`,
      },
    ],
    undo: [
      `systemctl stop ${INSTALL}.timer ${REPORT}.timer 2>/dev/null || true`,
      `rm -f ${UNITS}/timers.target.wants/${INSTALL}.timer ${UNITS}/timers.target.wants/${REPORT}.timer ${METRICS}`,
      "systemctl daemon-reload",
      `systemctl enable --quiet --now ${DEBIANS} >/dev/null 2>&1 || true`,
    ].join("\n"),
  };
}
