import { quote, ROOT_SHELL } from "../shell.ts";
import { type Login, sshCommand } from "./login.ts";
import { confirmScript } from "./revert.ts";
import { applyScript, undoScript } from "./scripts.ts";
import type { Step } from "./step.ts";

/** Seconds that a host which is still booting is waited for. */
const WAIT_SECONDS = 120;

/** Ways in, tried in turn: a step may be what moves sshd from one port to another. */
function ways(login: Login, firstPort: number): Login[] {
  return firstPort === login.port ? [login] : [login, { ...login, port: firstPort }];
}

/**
 * Shell lines for this machine that find the first way in that works: `way` then runs its arguments on the host. A host that answers nowhere is waited for; a host key that is not the pinned one ends all at once.
 */
function findWay(what: string, logins: readonly Login[]): string[] {
  const [first] = logins;
  if (first === undefined) throw new Error("there is no way in");
  const users = [...new Set(logins.map(({ user }) => user))].join(" nor ");
  const ports = [...new Set(logins.map(({ port }) => port))].join(" nor ");
  return [
    "set -u",
    'errors=$(mktemp) script=$(mktemp); trap \'rm -f "$errors" "$script"\' EXIT',
    "[ -d ~/.ssh ] || mkdir -m 0700 ~/.ssh",
    `fail() { echo "${what}: $1" >&2; exit 1; }`,
    'last() { tail -n 1 "$errors"; }',
    ...logins.map((login, index) => `way_${index}() { ${sshCommand(login)} "$@"; }`),
    `end=$(($(date +%s) + ${WAIT_SECONDS})) found='' denied=''`,
    'while [ -z "$found" ]; do',
    `  for try in ${logins.map((_, index) => index).join(" ")}; do`,
    '    said=$("way_$try" true 2>"$errors" </dev/null) && { found=$try; break; }',
    // A cloud's image answers a login as root with the name of its own account, and ends the connection.
    `    case $said in *"Please login as the user"*) fail "the machine's image lets nobody in as root: it says '$(echo "$said" | head -n 1)'. Set host.user to that account" ;; esac`,
    '    case $(cat "$errors") in *"Permission denied"*) denied=$(last) ;; esac',
    "    if grep -q 'Host key verification failed\\|IDENTIFICATION HAS CHANGED\\|no matching host key type' \"$errors\"; then",
    `      fail "the host key of ${first.address} is not the pinned one (the host shows $(grep -o 'SHA256:[A-Za-z0-9+/]*' "$errors" | head -n 1)): the machine was replaced, or somebody is in between. Nothing was sent. Compare with its own console, ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, and only then set host.hostKey."`,
    "    fi",
    "  done",
    '  [ -z "$found" ] || break',
    // Not tried again, whatever another way said: three refused keys are a ban.
    '  if [ -n "$denied" ]; then',
    `    fail "${first.address} does not let ${users} in with the key ${first.privateKeyPath}: $denied. A new key of the deployments is let in by host.deployerKeys before it is used (docs/rotation.md)"`,
    "  fi",
    '  if [ "$(date +%s)" -ge "$end" ]; then',
    `    fail "${first.address} did not answer on port ${ports} for ${WAIT_SECONDS} s: $(last). Is it up, is the port right (host.port, host.firstPort), has fail2ban banned this address (host.trustedNetworks spares it)?"`,
    "  fi",
    "  sleep 2",
    "done",
    'way() { "way_$found" "$@"; }',
  ];
}

/** Runs the script as root, and says so when the connection ends before the script does. */
function runScript(address: string, script: string): string[] {
  return [
    `printf %s ${quote(script)} > "$script"`,
    `way ${quote(ROOT_SHELL)} < "$script" 2>"$errors"; code=$?`,
    'grep -v "^Connection to .* closed" "$errors" >&2',
    "case $(cat \"$errors\") in *sudo*password*|*sudo*'not found'*)",
    '  fail "the first user may not become root: let it sudo without a password (NOPASSWD), or set host.user to root" ;;',
    "esac",
    `if [ "$code" -eq 255 ]; then fail "the connection to ${address} was lost in the middle: $(last). Run up again: every step can be repeated, and this one goes on where it was."; fi`,
    '[ "$code" -eq 0 ] || exit "$code"',
  ];
}

/** The first connection: the deployer after the first time, before that the first user. */
export function contactOnHost(login: Login, firstUser: string, firstPort: number, script: string): string {
  return onHost("host", [...ways(login, firstPort), { ...login, user: firstUser, port: firstPort }], script);
}

/**
 * A shell script for this machine that runs another on the host as root, by the first way in that works. It is for a shell's stdin:
 * a fault's message repeats the command, and should not repeat all this.
 */
function onHost(what: string, logins: readonly Login[], script: string, then: readonly string[] = []): string {
  const lines = [...findWay(what, logins), ...runScript(logins[0]?.address ?? "", script), ...then];
  return `main() {\n${lines.join("\n")}\n}\nmain </dev/null\n`;
}

/**
 * Brings a step about from this machine. The host takes a proven step's change back by itself unless a second connection, made
 * after the change, says that it may stay.
 */
export function stepOnHost(step: Step, login: Login, firstPort: number): string {
  const way = step.proven === "as-it-is" ? "way" : "way_0";
  const port = step.proven === "as-it-is" ? "any port" : `port ${login.port}`;
  const confirmation = [
    "for _ in 1 2 3 4 5; do",
    `  if ${way} ${quote(`sudo -n sh -c ${quote(confirmScript(step))}`)} 2>"$errors" </dev/null; then exit 0; fi`,
    "  sleep 2",
    "done",
    `fail "no second connection came through on ${port} after the change ($(last)), so the host takes it back within a minute. ${step.proven === "as-it-is" ? `Does ${login.privateKeyPath}.pub belong to ${login.privateKeyPath}?` : "A firewall of the provider's in between?"}"`,
  ];
  return onHost(
    `host step ${step.name}`,
    ways(login, firstPort),
    applyScript(step),
    step.proven === undefined ? [] : confirmation,
  );
}

/** Takes a step back from this machine. */
export function undoOnHost(step: Step, login: Login, firstPort: number): string {
  return onHost(`host step ${step.name}`, ways(login, firstPort), undoScript(step));
}
