import { quote } from "../shell.ts";
import { DEPLOYER } from "./options.ts";
import { sudoers } from "./steps/accounts.ts";
import { otherFirewalls } from "./steps/firewall.ts";
import { aptFunction } from "./steps/packages.ts";

/** The least that the platform fits into. */
const MIN_MEMORY_MIB = 3500;
const MIN_DISK_MIB = 6000;

/** What the first connection does, as root: looks whether the machine will do, and makes the account for all that follows. */
export function contactScript(publicKeys: readonly string[]): string {
  return `main() {
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
fail() { echo "host: $1" >&2; exit 1; }
${aptFunction()}
. /etc/os-release
[ "$ID" = debian ] && [ "\${VERSION_ID:-}" = 13 ] || fail "this is \${PRETTY_NAME:-an unknown system}; the platform needs Debian 13: install that, and set host.hostKey to the new machine's"
case $(dpkg --print-architecture) in amd64|arm64) ;; *) fail "the processor is $(dpkg --print-architecture); the platform's images are for amd64 and arm64: take another machine" ;; esac
[ -d /run/systemd/system ] || fail "systemd does not run here"
memory=$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
[ "$memory" -ge ${MIN_MEMORY_MIB} ] || fail "$memory MiB of memory; the platform needs ${MIN_MEMORY_MIB} at least: give the machine more, or take a larger one"
disk=$(df -Pm /var | awk 'NR == 2 {print $4}')
[ "$disk" -ge ${MIN_DISK_MIB} ] || fail "$disk MiB are free on /var; the platform needs ${MIN_DISK_MIB} at least: free some, or enlarge the disk"
other=$(sh -c ${quote(otherFirewalls)} | head -n 1)
[ -z "$other" ] || fail "its firewall is managed by \${other%% *} (take it off: \${other#* }), and two would close each other's ports and remove each other's rules: nothing was changed"
command -v sudo >/dev/null || { apt_get update; apt_get install --yes --no-install-recommends sudo; }
id ${DEPLOYER} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash ${DEPLOYER}
home=$(getent passwd ${DEPLOYER} | cut -d: -f6)
install -d -o ${DEPLOYER} -g ${DEPLOYER} -m 0700 "$home/.ssh"
printf '%s\\n' ${publicKeys.map(quote).join(" ")} > "$home/.ssh/authorized_keys"
chown ${DEPLOYER}: "$home/.ssh/authorized_keys"
chmod 0600 "$home/.ssh/authorized_keys"
printf '%s\\n' ${sudoers([DEPLOYER]).trim().split("\n").map(quote).join(" ")} > /etc/sudoers.d/autollm-deployer
chmod 0440 /etc/sudoers.d/autollm-deployer
visudo -c -q -f /etc/sudoers.d/autollm-deployer
}
main </dev/null
`;
}
