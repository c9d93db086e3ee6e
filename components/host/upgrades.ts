import { type Step, unitRuns } from "./step.ts";

const PERIODIC = `APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
`;

const POLICY = `// Written by Pulumi (host step upgrades). Security fixes only, and never a reboot: trading decides when.
#clear Unattended-Upgrade::Origins-Pattern;
Unattended-Upgrade::Origins-Pattern { "origin=Debian,codename=\${distro_codename}-security,label=Debian-Security"; };
Unattended-Upgrade::Automatic-Reboot "false";
Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";
Unattended-Upgrade::SyslogEnable "true";
`;

export function upgradesStep(): Step {
  return {
    name: "upgrades",
    purpose: "installs Debian's security fixes every day, without a reboot",
    after: ["packages"],
    files: [
      { path: "/etc/apt/apt.conf.d/91autollm-periodic", content: PERIODIC },
      { path: "/etc/apt/apt.conf.d/92autollm-upgrades", content: POLICY },
    ],
    activate: [
      "apt-config dump >/dev/null || { echo 'apt refuses the settings' >&2; exit 1; }",
      "systemctl enable --quiet --now apt-daily.timer apt-daily-upgrade.timer >/dev/null 2>&1",
    ].join("\n"),
    checks: [
      ...unitRuns("apt-daily-upgrade.timer"),
      {
        fault: "unattended upgrades are off",
        test: `apt-config dump APT::Periodic::Unattended-Upgrade | grep -q '"1"'`,
      },
      {
        fault: "unattended upgrades may reboot",
        test: `apt-config dump Unattended-Upgrade::Automatic-Reboot | grep -q '"false"'`,
      },
    ],
  };
}
