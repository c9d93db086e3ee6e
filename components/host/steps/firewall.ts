import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { BRIDGES, egressChain } from "../egress.ts";
import type { HostOptions } from "../options.ts";
import { type Step, unitRuns } from "../step.ts";

const RULES = "/etc/autollm/firewall.nft";
/** Where the step ssh says on which port sshd answers, from the moment at which it moves there. */
export const SSH_PORT_FILE = "/etc/autollm/firewall-ssh.nft";
/** Loads the rules; every load goes by it. */
export const LOADER = "/usr/local/lib/autollm/firewall";
const UNITS = "/etc/systemd/system";
const UNIT = "autollm-firewall.service";
const RESOLVERS = "autollm-firewall-resolvers";
const WATCH = "autollm-firewall-watch.service";
const WATCHER = "/usr/local/lib/autollm/firewall-watch";
/** The watcher runs it too. */
const OTHERS = "/usr/local/lib/autollm/other-firewalls";

/** New connections to sshd from one address: this many a minute, after a first burst. ufw's limit, 6 in 30 s, stops a first `up`. */
const SSH_PER_MINUTE = 60;
const SSH_BURST = 120;

const set = (items: readonly (string | number)[]): string => `{ ${items.join(", ")} }`;

/**
 * A table of our own: nobody else's rules are touched, and reloading it is one transaction. What it drops in `forward` is dropped
 * for good, whatever Docker's chains accept, so a port that a container publishes is closed unless it is listed; IPv4 and IPv6.
 */
export function nftRules(options: HostOptions): string {
  const { sshPort, publicPorts, publicUdpPorts, trustedNetworks, privateDestinations, address } = options;
  const trusted4 = trustedNetworks.filter((network) => !isIPv6(network.split("/")[0] ?? ""));
  const trusted6 = trustedNetworks.filter((network) => isIPv6(network.split("/")[0] ?? ""));
  const open = set(publicPorts);
  const limit = `limit rate over ${SSH_PER_MINUTE}/minute burst ${SSH_BURST} packets`;
  return `${[
    "#!/usr/sbin/nft -f",
    "# Written by Pulumi (host step firewall). The first two lines of tables make the load replace the table, in one transaction.",
    // A port that sshd has moved to counts before this file follows, also over a reboot. A pattern: the file may be missing.
    `define ssh_port = ${sshPort}`,
    `include "${SSH_PORT_FILE.slice(0, -1)}[t]"`,
    "table inet autollm",
    "delete table inet autollm",
    "table inet autollm {",
    "  set ssh4 { type ipv4_addr; flags dynamic, timeout; timeout 1m; size 65535; }",
    "  set ssh6 { type ipv6_addr; flags dynamic, timeout; timeout 1m; size 65535; }",
    "  chain input {",
    "    type filter hook input priority filter - 5; policy drop;",
    "    # Containers have no business with the host itself, not even by a connection that they had before these rules.",
    `    iifname ${BRIDGES} ct direction original counter drop`,
    "    ct state established,related accept",
    '    iif "lo" accept',
    "    ct state invalid drop",
    "    # Path MTU, neighbour discovery, ping.",
    "    meta l4proto { icmp, ipv6-icmp } accept",
    "    udp sport 67 udp dport 68 accept",
    "    udp sport 547 udp dport 546 accept",
    ...(trusted4.length > 0 ? [`    ip saddr ${set(trusted4)} tcp dport $ssh_port accept`] : []),
    ...(trusted6.length > 0 ? [`    ip6 saddr ${set(trusted6)} tcp dport $ssh_port accept`] : []),
    `    tcp dport $ssh_port ct state new update @ssh4 { ip saddr ${limit} } counter drop`,
    `    tcp dport $ssh_port ct state new update @ssh6 { ip6 saddr ${limit} } counter drop`,
    "    tcp dport $ssh_port accept",
    ...(publicPorts.length > 0 ? [`    tcp dport ${open} accept`] : []),
    "    counter",
    "  }",
    ...egressChain(privateDestinations, address),
    "  chain forward {",
    "    type filter hook forward priority filter - 5; policy accept;",
    "    # What a container began is judged at each packet: no connection outlives a change of these rules.",
    `    iifname ${BRIDGES} ct direction original jump egress`,
    "    ct state established,related accept",
    `    iifname ${BRIDGES} jump egress`,
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
ExecStart=${LOADER}
ExecReload=${LOADER}

[Install]
WantedBy=sysinit.target
`;

/** Also run once after each boot: the rules are loaded before the network has told of its name servers. */
const RESOLVERS_SERVICE = `[Unit]
Description=Lets the containers of the AutoLLM platform ask the host's name servers
After=network-online.target ${UNIT}
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=${LOADER} resolvers

[Install]
WantedBy=multi-user.target
`;

/** Without it, names could not be resolved after the host was told of other name servers. */
const RESOLVERS_PATH = `[Unit]
Description=Waits for other name servers

[Path]
PathChanged=/etc/resolv.conf
PathChanged=/run/systemd/resolve/resolv.conf

[Install]
WantedBy=multi-user.target
`;

/** By the kernel's own word of each change: a timer would leave the ports open until its time. */
const WATCH_SERVICE = `[Unit]
Description=Puts the firewall of the AutoLLM platform back when somebody removes it
After=${UNIT} docker.service

[Service]
ExecStart=${WATCHER}
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
`;

const script = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");

/** A script that prints each other program that manages the host's firewall, and the command that turns it off. */
export const otherFirewalls = script("./other-firewalls.sh");

export function firewallStep(options: HostOptions): Step {
  return {
    name: "firewall",
    purpose: `opens SSH (limited) and ${options.publicPorts.join(", ")}, and closes all else, Docker's published ports too`,
    // sshd must already listen where the firewall will let it be reached.
    after: ["packages"],
    proven: "as-wanted",
    files: [
      { path: RULES, content: nftRules(options), mode: "0600" },
      { path: LOADER, content: script("./firewall.sh"), mode: "0755" },
      { path: WATCHER, content: script("./firewall-watch.sh"), mode: "0755" },
      { path: OTHERS, content: otherFirewalls, mode: "0755" },
      { path: `${UNITS}/${WATCH}`, content: WATCH_SERVICE },
      { path: `${UNITS}/${UNIT}`, content: SERVICE },
      { path: `${UNITS}/${RESOLVERS}.service`, content: RESOLVERS_SERVICE },
      { path: `${UNITS}/${RESOLVERS}.path`, content: RESOLVERS_PATH },
    ],
    activate: [
      "systemctl daemon-reload",
      `if [ -f ${RULES} ]; then`,
      `  report=$(nft -c -f ${RULES} 2>&1) || { echo "nft refuses the rules: $report" >&2; exit 1; }`,
      // A host that is taken back to the rules of before the loader has none.
      `  if [ -x ${LOADER} ]; then ${LOADER}; else nft -f ${RULES}; fi`,
      `  systemctl enable --quiet ${UNIT} >/dev/null 2>&1`,
      `  systemctl start ${UNIT}`,
      `  if [ -f ${UNITS}/${RESOLVERS}.path ]; then systemctl enable --quiet ${RESOLVERS}.service >/dev/null 2>&1; systemctl enable --quiet --now ${RESOLVERS}.path >/dev/null 2>&1; fi`,
      `  if [ -f ${UNITS}/${WATCH} ]; then systemctl enable --quiet ${WATCH} >/dev/null 2>&1; systemctl restart ${WATCH}; else systemctl stop ${WATCH} 2>/dev/null || true; fi`,
      "else",
      `  systemctl disable --now ${UNIT} ${RESOLVERS}.path ${WATCH} >/dev/null 2>&1 || true`,
      `  systemctl stop ${WATCH} 2>/dev/null || true`,
      `  rm -f ${UNITS}/sysinit.target.wants/${UNIT} ${UNITS}/multi-user.target.wants/${RESOLVERS}.* ${UNITS}/multi-user.target.wants/${WATCH}`,
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
      { fault: "the firewall does not start at boot", test: `systemctl is-enabled --quiet ${UNIT}` },
      ...unitRuns(WATCH),
      {
        fault: "another program manages the host's firewall as well",
        test: `[ -z "$(${OTHERS})" ]`,
        driftOnly: true,
      },
      {
        fault: "nothing follows a change of the host's name servers",
        test: `systemctl is-active --quiet ${RESOLVERS}.path && systemctl is-enabled --quiet ${RESOLVERS}.path && systemctl is-enabled --quiet ${RESOLVERS}.service`,
      },
    ],
  };
}
