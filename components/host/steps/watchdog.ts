import { readFileSync } from "node:fs";
import { type Step, unitRuns } from "../step.ts";

const SCRIPT = "/usr/local/lib/autollm/watchdog";

const SERVICE = `[Unit]
Description=Restarts containers of the AutoLLM platform that stay unhealthy
After=docker.service
Requisite=docker.service

[Service]
Type=oneshot
ExecStart=${SCRIPT}
TimeoutStartSec=120
`;

/** Docker's own health checks run every 10 s or so; 3 looks are then a minute and a half. */
const TIMER = `[Unit]
Description=Looks after the containers of the AutoLLM platform

[Timer]
OnBootSec=120
OnUnitActiveSec=30
AccuracySec=1

[Install]
WantedBy=timers.target
`;

export function watchdogStep(): Step {
  return {
    name: "watchdog",
    purpose:
      "restarts a container that stays unhealthy for 3 checks and has room to write, with back-off, and counts it as a metric",
    after: ["engine", "directories"],
    files: [
      { path: SCRIPT, content: readFileSync(new URL("./watchdog.sh", import.meta.url), "utf8"), mode: "0755" },
      { path: "/etc/systemd/system/autollm-watchdog.service", content: SERVICE },
      { path: "/etc/systemd/system/autollm-watchdog.timer", content: TIMER },
    ],
    activate: [
      "systemctl daemon-reload",
      `if [ -f ${SCRIPT} ]; then systemctl enable --quiet autollm-watchdog.timer >/dev/null 2>&1; systemctl restart autollm-watchdog.timer; fi`,
    ].join("\n"),
    checks: unitRuns("autollm-watchdog.timer"),
    undo: "systemctl stop autollm-watchdog.timer 2>/dev/null || true; rm -f /etc/systemd/system/timers.target.wants/autollm-watchdog.timer; systemctl daemon-reload",
  };
}
