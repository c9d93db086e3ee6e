import { type Step, unlessContainer } from "../step.ts";

/** The journal may not fill the disk, and outlives a reboot. */
const JOURNAL = `[Journal]
Storage=persistent
SystemMaxUse=1G
SystemKeepFree=2G
MaxRetentionSec=3month
`;

/** CIS Debian Linux Benchmark 1.5: no memory of a crashed process is kept. */
const COREDUMP = `[Coredump]
Storage=none
ProcessSizeMax=0
`;

export function systemStep(): Step {
  return {
    name: "system",
    purpose: "keeps time in UTC and synchronised, bounds the journal, keeps no core dumps",
    after: ["packages"],
    files: [
      { path: "/etc/systemd/journald.conf.d/autollm.conf", content: JOURNAL },
      { path: "/etc/systemd/coredump.conf.d/autollm.conf", content: COREDUMP },
    ],
    activate: [
      "ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime",
      "systemctl enable --quiet systemd-timesyncd.service >/dev/null 2>&1",
      "systemctl start systemd-timesyncd.service",
      'if [ -n "$changed" ]; then systemctl restart systemd-journald.service; fi',
    ].join("\n"),
    checks: [
      { fault: "the time zone is not UTC", test: '[ "$(date +%Z)" = UTC ]' },
      {
        fault: "the clock is not kept synchronised",
        test: unlessContainer("systemctl is-active --quiet systemd-timesyncd.service"),
      },
      {
        fault: "the clock's service does not start at boot",
        test: "systemctl is-enabled --quiet systemd-timesyncd.service",
      },
    ],
  };
}
