import type { HostOptions } from "../options.ts";
import { type Step, unitRuns } from "../step.ts";

const JAIL = "/etc/fail2ban/jail.d/zz-autollm.local";

/** docs/requirements.md: 3 tries within 600 s are banned for 3600 s. */
const LIMITS = { maxretry: 3, findtime: 600, bantime: 3600 };

const KNOWN = "/usr/local/lib/autollm/logged-in";

/**
 * jq over journal entries: whether sshd accepted a key from the address $ip. A message is judged as a whole, from its first
 * character: a login name, which anybody may choose, is told in the middle of one, and may hold a line break and such words.
 */
export const ACCEPTED = [
  "any(inputs | .MESSAGE | strings;",
  '(capture("\\\\AAccepted publickey for [a-z][-a-z0-9]* from (?<ip>[0-9a-fA-F.:]+) port [0-9]+ ssh2: ") | .ip) // "" | . == $ip)',
].join(" ");

/**
 * An address from which somebody has just logged in with a key is not banned: the deployer's connections that are cut, or tried
 * with the account of the first contact, would otherwise lock it out in the middle of an `up`.
 */
const SCRIPT = `#!/bin/sh
# Written by Pulumi (host step bans). Ends with 0 when a key from that address was accepted within the last ten minutes.
journalctl --quiet --since -${LIMITS.findtime}s --output json _SYSTEMD_UNIT=ssh.service _COMM=sshd-session + _SYSTEMD_UNIT=ssh.service _COMM=sshd |
  jq --null-input --exit-status --arg ip "$1" '${ACCEPTED}' >/dev/null
`;

export function fail2banJail({ sshPort, trustedNetworks }: HostOptions): string {
  const lines = [
    "# Written by Pulumi (host step bans).",
    "[DEFAULT]",
    "banaction = nftables[type=multiport]",
    "banaction_allports = nftables[type=allports]",
    `ignorecommand = ${KNOWN} <ip>`,
    `ignoreip = ${["127.0.0.1/8", "::1", ...trustedNetworks].join(" ")}`,
    "",
    "[sshd]",
    "enabled = true",
    "backend = systemd",
    // Debian's own jail names sshd alone, but since OpenSSH 9.8 another program tells of failed logins.
    "journalmatch = _SYSTEMD_UNIT=ssh.service + _COMM=sshd + _COMM=sshd-session",
    // A refused key says nothing else than that the connection was closed before a login: only this mode counts it.
    "mode = aggressive",
    `port = ${sshPort}`,
    ...Object.entries(LIMITS).map(([key, value]) => `${key} = ${value}`),
  ];
  return `${lines.join("\n")}\n`;
}

export function bansStep(options: HostOptions): Step {
  return {
    name: "bans",
    purpose: `bans an address for ${LIMITS.bantime} s after ${LIMITS.maxretry} failed logins within ${LIMITS.findtime} s`,
    after: ["firewall"],
    files: [
      { path: JAIL, content: fail2banJail(options) },
      { path: KNOWN, content: SCRIPT, mode: "0755" },
    ],
    activate: [
      'report=$(fail2ban-client -t 2>&1) || { echo "fail2ban refuses the jail: $report" >&2; exit 1; }',
      "systemctl unmask --quiet --runtime fail2ban.service >/dev/null 2>&1",
      "systemctl enable --quiet fail2ban.service >/dev/null 2>&1",
      // A restart keeps the bans: they are in fail2ban's database.
      'if [ -n "$changed" ] || ! systemctl is-active --quiet fail2ban.service; then systemctl restart fail2ban.service; fi',
      "for _ in 1 2 3 4 5 6 7 8 9 10; do if fail2ban-client status sshd >/dev/null 2>&1; then break; fi; sleep 0.5; done",
    ].join("\n"),
    checks: [
      ...unitRuns("fail2ban.service"),
      { fault: "fail2ban does not watch sshd", test: "fail2ban-client status sshd" },
      {
        fault: "fail2ban's limits are others than declared",
        test: Object.entries(LIMITS)
          .map(([key, value]) => `[ "$(fail2ban-client get sshd ${key})" = ${value} ]`)
          .join(" && "),
      },
    ],
  };
}
