import type { Step } from "./step.ts";

/** Seconds after which an unconfirmed change of a proven step is taken back. */
export const REVERT_SECONDS = 60;

const nameOf = (step: Pick<Step, "name">): string => `autollm-revert-${step.name}`;
const unitOf = (step: Pick<Step, "name">): string => `/etc/systemd/system/${nameOf(step)}`;

/** Shell lines that end the wait for a confirmation. */
export function disarm(step: Pick<Step, "name">): string[] {
  const unit = unitOf(step);
  return [
    `systemctl disable --quiet --now ${nameOf(step)}.timer >/dev/null 2>&1 || true`,
    `rm -f ${unit}.timer ${unit}.service`,
    "systemctl daemon-reload",
  ];
}

/**
 * Shell lines that have the host run `$keep/restore` by itself in a while. Units on disk rather than transient ones, so that a
 * reboot in between does not make an unconfirmed change stay. A change that nobody confirmed so far is taken back first.
 */
export function armRevert(step: Step): string[] {
  const unit = unitOf(step);
  return [
    `if [ -f ${unit}.service ]; then systemctl start ${nameOf(step)}.service || true; fi`,
    `cat > ${unit}.service <<UNIT`,
    "[Unit]",
    `Description=Takes back a change of the host step ${step.name} that nobody confirmed`,
    "[Service]",
    "Type=oneshot",
    "ExecStart=/bin/sh -u $keep/restore $keep",
    "UNIT",
    `cat > ${unit}.timer <<UNIT`,
    "[Unit]",
    `Description=Waits for a confirmation of the host step ${step.name}`,
    "[Timer]",
    `OnActiveSec=${REVERT_SECONDS}`,
    "AccuracySec=1",
    "[Install]",
    "WantedBy=timers.target",
    "UNIT",
    "systemctl daemon-reload",
    `systemctl enable --quiet --now ${nameOf(step)}.timer >/dev/null 2>&1`,
  ];
}

/** What the second connection runs: the change stays. Fails where the host has taken it back already. */
export function confirmScript(step: Pick<Step, "name">): string {
  return [
    `[ -f ${unitOf(step)}.timer ] || exit 1`,
    ...disarm(step),
    `rm -rf /var/lib/autollm/host/keep-${step.name}.*`,
  ].join("\n");
}
