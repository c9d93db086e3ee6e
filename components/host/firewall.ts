import { isIPv6 } from "node:net";
import type { HostOptions } from "./options.ts";
import type { Step } from "./step.ts";

const RULES = "/etc/autollm/firewall.nft";
const UNIT = "/etc/systemd/system/autollm-firewall.service";

/** New connections to sshd from one address: this many a minute, after a first burst. ufw's limit, 6 in 30 s, stops a first `up`. */
const SSH_PER_MINUTE = 60;
const SSH_BURST = 120;

const set = (items: readonly (string | number)[]): string => `{ ${items.join(", ")} }`;

/**
 * A table of our own: nobody else's rules are touched, and reloading it is one transaction. What it drops in `forward` is dropped
 * for good, whatever Docker's chains accept, so a port that a container publishes is closed unless it is listed; IPv4 and IPv6.
 */
export function nftRules({ sshPort, publicPorts, publicUdpPorts, trustedNetworks }: HostOptions): string {
  const trusted4 = trustedNetworks.filter((network) => !isIPv6(network.split("/")[0] ?? ""));
  const trusted6 = trustedNetworks.filter((network) => isIPv6(network.split("/")[0] ?? ""));
  const open = set(publicPorts);
  const limit = `limit rate over ${SSH_PER_MINUTE}/minute burst ${SSH_BURST} packets`;
  return `${[
    "#!/usr/sbin/nft -f",
    "# Written by Pulumi (host step firewall). The first two lines make the load replace the table, in one transaction.",
    "table inet autollm",
    "delete table inet autollm",
    "table inet autollm {",
    "  set ssh4 { type ipv4_addr; flags dynamic, timeout; timeout 1m; size 65535; }",
    "  set ssh6 { type ipv6_addr; flags dynamic, timeout; timeout 1m; size 65535; }",
    "  chain input {",
    "    type filter hook input priority filter - 5; policy drop;",
    "    ct state established,related accept",
    '    iif "lo" accept',
    "    ct state invalid drop",
    "    # Containers have no business with the host itself.",
    '    iifname { "docker0", "docker_gwbridge", "br-*" } ct state new counter drop',
    "    # Path MTU, neighbour discovery, ping.",
    "    meta l4proto { icmp, ipv6-icmp } accept",
    "    udp sport 67 udp dport 68 accept",
    "    udp sport 547 udp dport 546 accept",
    ...(trusted4.length > 0 ? [`    ip saddr ${set(trusted4)} tcp dport ${sshPort} accept`] : []),
    ...(trusted6.length > 0 ? [`    ip6 saddr ${set(trusted6)} tcp dport ${sshPort} accept`] : []),
    `    tcp dport ${sshPort} ct state new update @ssh4 { ip saddr ${limit} } counter drop`,
    `    tcp dport ${sshPort} ct state new update @ssh6 { ip6 saddr ${limit} } counter drop`,
    `    tcp dport ${sshPort} accept`,
    ...(publicPorts.length > 0 ? [`    tcp dport ${open} accept`] : []),
    "    counter",
    "  }",
    "  chain forward {",
    "    type filter hook forward priority filter - 5; policy accept;",
    "    ct state established,related accept",
    '    iifname { "docker0", "docker_gwbridge", "br-*" } accept',
    ...(publicPorts.length > 0 ? [`    meta l4proto tcp ct status dnat ct original proto-dst ${open} accept`] : []),
    ...(publicUdpPorts.length > 0
      ? [`    meta l4proto udp ct status dnat ct original proto-dst ${set(publicUdpPorts)} accept`]
      : []),
    "    counter drop",
    "  }",
    "}",
  ].join("\n")}\n`;
}

const SERVICE = `[Unit]
Description=Firewall of the AutoLLM platform
Documentation=man:nft(8)
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f ${RULES}
ExecReload=/usr/sbin/nft -f ${RULES}

[Install]
WantedBy=sysinit.target
`;

export function firewallStep(options: HostOptions): Step {
  return {
    name: "firewall",
    purpose: `opens SSH (limited) and ${options.publicPorts.join(", ")}, and closes all else, Docker's published ports too`,
    // sshd must already listen where the firewall will let it be reached.
    after: ["packages"],
    proven: true,
    files: [
      { path: RULES, content: nftRules(options), mode: "0600" },
      { path: UNIT, content: SERVICE },
    ],
    activate: [
      "systemctl daemon-reload",
      `if [ -f ${RULES} ]; then`,
      `  report=$(nft -c -f ${RULES} 2>&1) || { echo "nft refuses the rules: $report" >&2; exit 1; }`,
      `  nft -f ${RULES}`,
      "  systemctl enable --quiet autollm-firewall.service >/dev/null 2>&1",
      "  systemctl start autollm-firewall.service",
      "else",
      "  systemctl disable --now autollm-firewall.service >/dev/null 2>&1 || true",
      "  nft delete table inet autollm 2>/dev/null || true",
      "fi",
    ].join("\n"),
    checks: [
      // The declared rules are loaded where nothing goes through, and both printed: a dropped, added or changed rule shows.
      {
        fault: "the firewall's rules in the kernel are not those declared",
        test: [
          `want=$(unshare --net sh -c 'nft -f ${RULES} && nft --stateless --terse list table inet autollm')`,
          "have=$(nft --stateless --terse list table inet autollm)",
          '[ -n "$want" ] && [ "$want" = "$have" ]',
        ].join("; "),
      },
      { fault: "the firewall does not start at boot", test: "systemctl is-enabled --quiet autollm-firewall.service" },
    ],
  };
}
