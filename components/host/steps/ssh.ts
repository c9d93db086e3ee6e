import { signatures } from "../login.ts";
import type { HostOptions } from "../options.ts";
import { HOST_STATE } from "../scripts.ts";
import type { Step } from "../step.ts";
import { KEYS_DIR, logins } from "./accounts.ts";
import { LOADER, SSH_PORT_FILE } from "./firewall.ts";

/** Read before Debian's own and a cloud image's files, and of two values sshd takes the first. */
const DROP_IN = "/etc/ssh/sshd_config.d/00-autollm.conf";

/** Says that sshd was started by a socket before. */
const SOCKET = `${HOST_STATE}/ssh-socket`;

/**
 * sshd's settings. CIS Debian Linux Benchmark 5.1.x, except where Docker over SSH needs more: each of its calls is a session of
 * one shared connection, and a first `up` opens dozens of connections at once.
 */
export function sshdSettings(options: HostOptions): Readonly<Record<string, string>> {
  return {
    Port: String(options.sshPort),
    AllowUsers: Object.keys(logins(options)).sort().join(" "),
    AuthorizedKeysFile: `${KEYS_DIR}/%u`,
    // A cloud's agent lets in whom its console names, by a program or a certificate.
    AuthorizedKeysCommand: "none",
    AuthorizedPrincipalsCommand: "none",
    AuthorizedPrincipalsFile: "none",
    TrustedUserCAKeys: "none",
    ForceCommand: "none",
    ChrootDirectory: "none",
    PermitRootLogin: "no",
    AuthenticationMethods: "publickey",
    PubkeyAuthentication: "yes",
    PasswordAuthentication: "no",
    KbdInteractiveAuthentication: "no",
    PermitEmptyPasswords: "no",
    HostbasedAuthentication: "no",
    GSSAPIAuthentication: "no",
    PermitUserEnvironment: "no",
    MaxAuthTries: "3",
    LoginGraceTime: "30",
    MaxSessions: "50",
    MaxStartups: "60:30:120",
    // Asked within the encrypted connection, so that nobody beside it can keep it alive or end it.
    ClientAliveInterval: "60",
    ClientAliveCountMax: "2",
    TCPKeepAlive: "no",
    X11Forwarding: "no",
    AllowAgentForwarding: "no",
    // VNC and the admin ports are reached through a tunnel, so forwarding to the host's own loopback stays.
    AllowTcpForwarding: "local",
    AllowStreamLocalForwarding: "no",
    GatewayPorts: "no",
    PermitTunnel: "no",
    LogLevel: "VERBOSE",
    // ssh-audit's policy for OpenSSH 9 and 10.
    KexAlgorithms:
      "mlkem768x25519-sha256,sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org",
    Ciphers: "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr",
    MACs: "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com",
    // Without ECDSA on NIST's curves, unless that is the key which this host is known by.
    HostKeyAlgorithms: [
      ...new Set(["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256", ...signatures(options.hostKey)]),
    ].join(","),
    RequiredRSASize: "3072",
  };
}

/** What sshd_config(5) takes outside of Match blocks alone. */
const GLOBAL = new Set([
  ...["Port", "PermitUserEnvironment", "LoginGraceTime", "MaxStartups", "TCPKeepAlive"],
  ...["KexAlgorithms", "Ciphers", "MACs", "HostKeyAlgorithms", "RequiredRSASize"],
]);

/**
 * How many keys an agent may offer before the right one. sshd counts each as a try, and an administrator's agent may hold several;
 * nobody has a password that could be guessed, and for the bans a connection is one failed login however many keys it offered.
 */
const AGENT_KEYS = "10";

/** What a name that could be an administrator's is given, whether there is such an account or not: the answer must not tell that. */
const matchPeople = ({ deployer }: HostOptions) => `Match User *,!root,!${deployer}`;

export function sshdDropIn(options: HostOptions): string {
  const settings = Object.entries(sshdSettings(options));
  const line = ([key, value]: readonly [string, string]) => `${key} ${value}\n`;
  return [
    "# Written by Pulumi (host step ssh); changes are reported as drift and undone.\n",
    ...settings.map(line),
    `${matchPeople(options)}\n  ${line(["MaxAuthTries", AGENT_KEYS])}`,
    // A block of somebody else's would win over all above. Of the blocks that match, sshd takes the first value.
    "Match all\n",
    ...settings.filter(([key]) => !GLOBAL.has(key)).map((each) => `  ${line(each)}`),
  ].join("");
}

/**
 * The firewall follows sshd to the port that the file names, and only where it has another: a rule of its own would stay. The
 * rules of a host that an earlier version set up do not read that file; the step firewall replaces them in the same `up`.
 */
const LET_THROUGH = [
  `port=$(awk '/^redefine ssh_port/ {print $4}' ${SSH_PORT_FILE} 2>/dev/null || true)`,
  'if [ -n "$port" ] && rules=$(nft list chain inet autollm input 2>/dev/null) && ! echo "$rules" | grep -q "^[[:space:]]*tcp dport $port accept"; then',
  `  if [ -x ${LOADER} ]; then ${LOADER}; else nft insert rule inet autollm input tcp dport "$port" accept; fi`,
  "fi",
];

export function sshStep(options: HostOptions): Step {
  const effective = [
    "PermitRootLogin",
    "PasswordAuthentication",
    "KbdInteractiveAuthentication",
    "MaxAuthTries",
    "X11Forwarding",
    "HostKeyAlgorithms",
  ];
  const settings = sshdSettings(options);
  return {
    name: "ssh",
    purpose: "lets in nobody but the named accounts with their keys",
    after: ["accounts"],
    proven: "as-wanted",
    files: [
      { path: DROP_IN, content: sshdDropIn(options), mode: "0600" },
      { path: SSH_PORT_FILE, content: `redefine ssh_port = ${options.sshPort}\n`, mode: "0600" },
    ],
    activate: [
      // `sshd -t` wants it, and a machine whose sshd is started by a socket lacks it.
      "mkdir -p /run/sshd",
      'report=$(sshd -t 2>&1) || { echo "sshd refuses the settings: $report" >&2; exit 1; }',
      ...LET_THROUGH,
      // A socket unit would listen beside sshd's own Port. It comes back where the file goes: it may be the way in of before.
      `if [ -f ${DROP_IN} ] && { systemctl is-active --quiet ssh.socket || systemctl is-enabled --quiet ssh.socket 2>/dev/null; }; then`,
      `  touch ${SOCKET}; systemctl disable --quiet --now ssh.socket >/dev/null 2>&1 || true`,
      // To enable it gives it a second name, sshd.service. Where systemd knows that one as missing, it may take a running service for
      // a stopped one from then on, whose port the next start finds taken. Sessions stay (KillMode=process).
      "  systemctl stop ssh.service; systemctl enable --quiet ssh.service >/dev/null 2>&1; systemctl restart ssh.service",
      `elif [ ! -f ${DROP_IN} ] && [ -e ${SOCKET} ]; then`,
      `  rm -f ${SOCKET}; systemctl disable --quiet --now ssh.service >/dev/null 2>&1 || true; systemctl enable --quiet --now ssh.socket >/dev/null 2>&1`,
      "else",
      "  systemctl reload-or-restart ssh.service",
      "fi",
    ].join("\n"),
    checks: [
      ...effective.map((key) => ({
        fault: `sshd does not hold ${key} ${settings[key]}`,
        test: `sshd -T | grep -qix '${key} ${settings[key]}'`,
      })),
      {
        fault: `sshd does not take an administrator's agent with ${AGENT_KEYS} keys`,
        test: `sshd -T -C user=nobody-yet | grep -qix 'MaxAuthTries ${AGENT_KEYS}'`,
      },
      { fault: "ssh.service does not run", test: "systemctl is-active --quiet ssh.service" },
    ],
    leaves: "the deployer's key in its home, which lets it in after this",
  };
}
