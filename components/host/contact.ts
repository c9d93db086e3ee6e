import { quote } from "../runtime/files.ts";
import { sudoers } from "./accounts.ts";
import { type Login, sshCommand } from "./login.ts";
import { DEPLOYER } from "./options.ts";
import { APT } from "./packages.ts";
import { ROOT_SHELL, revertUnit } from "./scripts.ts";
import type { Step } from "./step.ts";

/** The least that the platform fits into. */
const MIN_MEMORY_MIB = 3500;
const MIN_DISK_MIB = 6000;

/** Seconds that a host which is still booting is waited for. */
const WAIT_SECONDS = 120;

/** What the first connection does, as root: looks whether the machine will do, and makes the account for all that follows. */
export function contactScript(publicKey: string): string {
  return `main() {
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
fail() { echo "host: $1" >&2; exit 1; }
${APT}
. /etc/os-release
[ "$ID" = debian ] && [ "\${VERSION_ID:-}" = 13 ] || fail "this is \${PRETTY_NAME:-an unknown system}; the platform needs Debian 13"
case $(dpkg --print-architecture) in amd64|arm64) ;; *) fail "the processor is $(dpkg --print-architecture); the platform's images are for amd64 and arm64" ;; esac
[ -d /run/systemd/system ] || fail "systemd does not run here"
memory=$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
[ "$memory" -ge ${MIN_MEMORY_MIB} ] || fail "$memory MiB of memory; the platform needs ${MIN_MEMORY_MIB} at least"
disk=$(df -Pm /var | awk 'NR == 2 {print $4}')
[ "$disk" -ge ${MIN_DISK_MIB} ] || fail "$disk MiB are free on /var; the platform needs ${MIN_DISK_MIB} at least"
command -v sudo >/dev/null || { apt_get update; apt_get install --yes --no-install-recommends sudo; }
id ${DEPLOYER} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash ${DEPLOYER}
home=$(getent passwd ${DEPLOYER} | cut -d: -f6)
install -d -o ${DEPLOYER} -g ${DEPLOYER} -m 0700 "$home/.ssh"
echo ${quote(publicKey)} > "$home/.ssh/authorized_keys"
chown ${DEPLOYER}: "$home/.ssh/authorized_keys"
chmod 0600 "$home/.ssh/authorized_keys"
printf '%s\\n' ${sudoers([DEPLOYER]).trim().split("\n").map(quote).join(" ")} > /etc/sudoers.d/autollm-deployer
chmod 0440 /etc/sudoers.d/autollm-deployer
visudo -c -q -f /etc/sudoers.d/autollm-deployer
}
main </dev/null
`;
}

/** Lines that tell a fault of the pinned key from others. */
const WRONG_KEY = [
  "wrong_key() {",
  "  if grep -q 'Host key verification failed\\|IDENTIFICATION HAS CHANGED' \"$errors\"; then",
  '    echo "the host key of $1 is not the pinned one (the host shows $(grep -o "SHA256:[A-Za-z0-9+/]*" "$errors" | head -n 1)): the machine was replaced, or somebody is in between. Nothing was sent. Compare with its own console, ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, and only then set host.hostKey." >&2',
  "    exit 1",
  "  fi",
  "}",
];

/**
 * Runs on this machine, with the contact script on stdin: finds out who may log in, the deployer after the first time, before that
 * the first user, on the wanted port or the first one; and waits for a host that is still booting.
 */
export function contactCommand(login: Login, firstUser: string, firstPort: number): string {
  const ways = [
    { ...login, user: DEPLOYER },
    ...(firstPort === login.port ? [] : [{ ...login, user: DEPLOYER, port: firstPort }]),
    { ...login, user: firstUser, port: firstPort },
  ];
  return [
    "set -u",
    'errors=$(mktemp) script=$(mktemp); trap \'rm -f "$errors" "$script"\' EXIT; cat > "$script"',
    "[ -d ~/.ssh ] || mkdir -m 0700 ~/.ssh",
    ...WRONG_KEY,
    `end=$(($(date +%s) + ${WAIT_SECONDS}))`,
    "while :; do",
    ...ways.flatMap((way) => [
      `  if ${sshCommand(way)} true 2>"$errors" </dev/null; then ${sshCommand(way)} ${quote(ROOT_SHELL)} < "$script"; exit $?; fi`,
      `  wrong_key ${way.address}`,
    ]),
    '  case $(cat "$errors") in *"Permission denied"*)',
    `    echo "${login.address} lets neither ${DEPLOYER} nor ${firstUser} in with the key ${login.privateKeyPath}: $(tail -n 1 "$errors")" >&2; exit 1 ;;`,
    "  esac",
    `  if [ "$(date +%s)" -ge "$end" ]; then echo "${login.address} did not answer on port ${firstPort} for ${WAIT_SECONDS} s: $(tail -n 1 "$errors")" >&2; exit 1; fi`,
    "  sleep 2",
    "done",
  ].join("\n");
}

/** Ways in, tried in turn: a step may be what moves sshd from one port to another. */
function ways(login: Login, firstPort: number): string[] {
  const ports = firstPort === login.port ? [login.port] : [login.port, firstPort];
  return ports.map((port) => sshCommand({ ...login, port }));
}

/**
 * Runs a proven step from this machine, with its script on stdin. The host takes the change back by itself unless a second
 * connection, made after the change and on the wanted port, says that it may stay.
 */
export function provenCommand(step: Step, login: Login, firstPort: number): string {
  const unit = revertUnit(step);
  const confirm = `systemctl stop ${unit}.timer && rm -rf /var/lib/autollm/host/keep-${step.name}.*`;
  return [
    "set -u",
    'script=$(mktemp); trap \'rm -f "$script"\' EXIT; cat > "$script"',
    ...ways(login, firstPort)
      .map((ssh) => `${ssh} ${quote(ROOT_SHELL)} < "$script"; code=$?; if [ "$code" -ne 255 ]; then break_out=1; fi`)
      .flatMap((line, index) =>
        index === 0 ? ["break_out=0", line] : [`if [ "$break_out" -eq 0 ]; then ${line}; fi`],
      ),
    '[ "$code" -eq 0 ] || exit "$code"',
    "for _ in 1 2 3 4 5; do",
    `  if ${sshCommand(login)} ${quote(`sudo -n sh -c ${quote(confirm)}`)} </dev/null; then exit 0; fi`,
    "  sleep 2",
    "done",
    `echo "host step ${step.name}: no second connection came through after the change, so the host takes it back within a minute" >&2`,
    "exit 1",
  ].join("\n");
}
