import { readFileSync } from "node:fs";
import type { HostOptions } from "../options.ts";
import { type Step, unitRuns } from "../step.ts";

const JAIL = "/etc/fail2ban/jail.d/zz-autollm-edge.local";
const FILTER = "/etc/fail2ban/filter.d/autollm-edge.conf";
const SCRIPT = "/usr/local/lib/autollm/edge-log";
const UNIT = "autollm-edge-log.service";

/** Far more than a person mistypes, or a client that waits when it is told to, within ten minutes; an hour's ban. */
export const EDGE_LIMITS = { maxretry: 100, findtime: 600, bantime: 3600 };

const filter = `# Written by Pulumi (host step edge-bans).
[Definition]
failregex = refused <ADDR> \\d+\\s*$
journalmatch = _SYSTEMD_UNIT=${UNIT}
`;

export const edgeJail = ({ trustedNetworks, trustedProxies }: HostOptions) =>
  `${[
    "# Written by Pulumi (host step edge-bans).",
    "[autollm-edge]",
    "enabled = true",
    "backend = systemd",
    "filter = autollm-edge",
    // What goes to a published port is forwarded to its container, and never passes the input hook.
    "banaction = nftables[type=allports, chain_hook=forward]",
    // A chain of its own: the one that all jails share by default lies at the input hook once sshd has banned somebody.
    "chain = f2b-edge",
    // Of HTTP/3 as well: by fail2ban's default a ban of all ports is one of TCP.
    "protocol = tcp,udp",
    // Behind a proxy the connection is the proxy's: to ban that would shut everybody out.
    `ignoreip = ${["127.0.0.1/8", "::1", ...trustedNetworks, ...trustedProxies].join(" ")}`,
    // A key that was accepted says nothing about who asks the edge.
    "ignorecommand =",
    ...Object.entries(EDGE_LIMITS).map(([key, value]) => `${key} = ${value}`),
  ].join("\n")}\n`;

const service = `[Unit]
Description=Tells fail2ban whom the edge of the AutoLLM platform refused
After=docker.service
Wants=docker.service

[Service]
ExecStart=${SCRIPT}
Restart=always
RestartSec=5
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
`;

/** Bans at the edge: who is refused again and again is not heard any more. */
export function edgeBansStep(options: HostOptions): Step {
  return {
    name: "edge-bans",
    purpose: `bans an address from the edge for ${EDGE_LIMITS.bantime} s after ${EDGE_LIMITS.maxretry} refusals (401, 403, 429) within ${EDGE_LIMITS.findtime} s`,
    after: ["bans", "engine", "directories"],
    files: [
      { path: SCRIPT, content: readFileSync(new URL("./edge-log.sh", import.meta.url), "utf8"), mode: "0755" },
      { path: `/etc/systemd/system/${UNIT}`, content: service },
      { path: FILTER, content: filter },
      { path: JAIL, content: edgeJail(options) },
    ],
    activate: [
      "systemctl daemon-reload",
      `if [ -f ${SCRIPT} ]; then systemctl enable --quiet ${UNIT} >/dev/null 2>&1; systemctl restart ${UNIT}; fi`,
      'report=$(fail2ban-client -t 2>&1) || { echo "fail2ban refuses the jail: $report" >&2; exit 1; }',
      // A restart keeps the bans: they are in fail2ban's database.
      'if [ -n "$changed" ]; then systemctl restart fail2ban.service; fi',
      "for _ in 1 2 3 4 5 6 7 8 9 10; do if fail2ban-client ping >/dev/null 2>&1; then break; fi; sleep 0.5; done",
    ].join("\n"),
    checks: [
      ...unitRuns(UNIT),
      { fault: "fail2ban does not watch the edge", test: "fail2ban-client status autollm-edge" },
      {
        fault: "a ban from the edge does not hold for all that is forwarded, HTTP/3 included",
        test: Object.entries({ protocol: "tcp,udp", chain: "f2b-edge", chain_hook: "forward" })
          .map(([key, value]) => `[ "$(fail2ban-client get autollm-edge action nftables ${key})" = ${value} ]`)
          .join(" && "),
      },
    ],
    undo: `systemctl stop ${UNIT} 2>/dev/null || true; rm -f /etc/systemd/system/multi-user.target.wants/${UNIT}; systemctl daemon-reload; systemctl restart fail2ban.service`,
  };
}
