import { quote } from "../../shell.ts";
import type { HostOptions } from "../options.ts";
import type { Step } from "../step.ts";
import { dockerPackages } from "./sources.ts";

/** Everything that any step needs besides Docker, so that apt is asked once. */
export const packages = [
  "apparmor",
  "auditd",
  "ca-certificates",
  "fail2ban",
  "iptables",
  "jq",
  "nftables",
  "python3-systemd",
  "sudo",
  "systemd-timesyncd",
  "tzdata",
  "unattended-upgrades",
] as const;

/** Seconds that another apt or dpkg, such as the first boot's, is waited for. */
const LOCK_SECONDS = 300;

/** What apt's words mean, and how to fix it. */
const hints: readonly (readonly [pattern: string, hint: string])[] = [
  [
    "*'Temporary failure resolving'*|*'Could not resolve'*",
    "the host cannot resolve names: fix /etc/resolv.conf or its name server",
  ],
  [
    "*'No space left'*|*'enough free space'*",
    "the disk is full: free some (journalctl --vacuum-size=200M; apt-get clean; docker image prune)",
  ],
  [
    "*'Unable to connect'*|*'Could not connect'*|*'onnection timed out'*|*'Connection failed'*",
    "the host does not reach its package mirror: see its network and /etc/apt",
  ],
  ["*'cdrom://'*", "a source of packages is a medium: remove it from /etc/apt"],
  ["*'NO_PUBKEY'*|*'not signed'*", "the mirror's signature is not trusted: see /etc/apt"],
  [
    "*'Unable to locate package'*|*'no installation candidate'*",
    "the mirror lacks a package: is it Debian 13's, with main?",
  ],
];

/** `apt_get` and `apt_mark`, which ask nothing, and wait while another program holds the locks of apt or dpkg. */
export function aptFunction(lockSeconds = LOCK_SECONDS): string {
  return [
    // With -qq, apt says that somebody holds the lock, and not who.
    "lock_holder() {",
    '  inode=$(stat -c %i "$(echo "$1" | grep -m 1 -o \'/var/[a-z/-]*lock[a-z-]*\')" 2>/dev/null) || return 0',
    "  pid=$(awk -v inode=\":$inode\" 'index($6, inode) { print $5; exit }' /proc/locks)",
    '  [ -z "$pid" ] || echo ", process $pid ($(cat "/proc/$pid/comm"))"',
    "}",
    // What an installation from a medium leaves: nobody puts that medium in again.
    "sed -i 's/^deb\\(-src\\)\\? \\(\\[[^]]*\\] \\)\\?cdrom:/# &/' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true",
    `apt_get() { patiently apt-get "$1" -o DPkg::Lock::Timeout=${lockSeconds} -o Acquire::Retries=2 -o APT::Update::Error-Mode=any -o Dpkg::Options::=--force-confold "$@"; }`,
    // It knows no such option: dpkg, which it runs, fails at once.
    'apt_mark() { patiently apt-mark "$1" "$@"; }',
    "patiently() {",
    "  program=$1 verb=$2; shift 2",
    `  end=$(($(date +%s) + ${lockSeconds}))`,
    "  while :; do",
    '    if out=$("$program" -qq "$@" 2>&1 </dev/null); then return 0; fi',
    "    hint='see the lines above'",
    "    case $out in",
    "      *'Could not get lock'*|*'Unable to lock'*|*'Unable to acquire'*|*'lock was locked by'*)",
    `        if [ "$(date +%s)" -ge "$end" ]; then fail "another apt has held the lock for ${lockSeconds} s: $(echo "$out" | grep -m 1 lock)$(lock_holder "$out"). Wait for it or end it, then run up again"; fi`,
    "        sleep 2; continue ;;",
    ...hints.map(([pattern, hint]) => `      ${pattern}) hint=${quote(hint)} ;;`),
    "    esac",
    `    fail "$program $verb: $(echo "$out" | grep -E '^(E|W|dpkg):' | tail -n 3). To fix it: $hint; then run up again"`,
    "  done",
    "}",
  ].join("\n");
}

/** Installs what all steps need, with the upgrades of the day but Docker's, which have an hour of their own: see the step upgrades. */
export function packagesStep({ docker }: HostOptions): Step {
  const engine: readonly string[] = dockerPackages[docker.source];
  const others: readonly string[] = dockerPackages[docker.source === "docker" ? "debian" : "docker"];
  const all = [...packages, ...engine];
  const names = all.join(" ");
  const query = "dpkg-query -W -f '$" + "{db:Status-Status} $" + "{Package}\\n'";
  const pinned = docker.version === undefined ? [] : engine.slice(0, 2);
  const versionHolds = (name: string, version: string) =>
    `case $(dpkg-query -W -f '\${Version}' ${name}) in ${version}) ;; *) false ;; esac`;
  return {
    name: "packages",
    purpose: "installs all packages in one go, and brings all but Docker up to date",
    // The machine is closed before anything is fetched to it.
    after: ["sources"],
    prepare: [
      aptFunction(),
      // An interrupted installation is finished first.
      "dpkg --configure -a >/dev/null 2>&1 </dev/null || true",
      "fresh=$(find /var/lib/apt/lists -maxdepth 1 -name '*_InRelease' -mmin -10 2>/dev/null | head -n 1)",
      'if [ -z "$fresh" ]; then apt_get update; fi',
      ...pinned.map(
        (name) =>
          // What is installed stays, also when the archive has only its successor by now.
          `{ ${versionHolds(name, docker.version ?? "")}; } 2>/dev/null || apt-cache madison ${name} | cut -d'|' -f2 | tr -d ' ' | { while read -r version; do case $version in ${docker.version}) exit 0 ;; esac; done; exit 1; } || fail "${name}: no version ${docker.version} is available (host.docker.version); there are: $(apt-cache madison ${name} | cut -d'|' -f2 | xargs)"`,
      ),
      // Docker of the other source makes way; volumes, images and containers stay.
      `if ${query} ${others.join(" ")} 2>/dev/null | grep -q '^installed ${others[0]}$'; then apt_get remove --yes --allow-change-held-packages ${others.slice(0, 2).join(" ")}; fi`,
      `right=$(${query} ${names} 2>/dev/null | grep -c '^installed ')`,
      ...pinned.map((name) => `${versionHolds(name, docker.version ?? "")} || right=0`),
      `if [ "$right" -ne ${all.length} ]; then`,
      // With Debian's own jail it would count the first contact's tries: the step bans starts it.
      "  if [ ! -e /usr/bin/fail2ban-server ]; then systemctl mask --quiet --runtime fail2ban.service >/dev/null 2>&1; fi",
      `  apt_get install --yes --no-install-recommends --allow-change-held-packages --allow-downgrades ${names}`,
      "fi",
      // Should this be interrupted, the step upgrades lifts the hold at its hour.
      `apt_mark hold ${engine.join(" ")}`,
      "apt_get upgrade --yes",
      `apt_mark unhold ${engine.join(" ")}`,
    ].join("\n"),
    checks: [
      ...all.map((name) => ({
        fault: `the package ${name} is not installed`,
        test: `[ "$(dpkg-query -W -f '\${db:Status-Status}' ${name})" = installed ]`,
      })),
      ...engine.map((name) => ({
        fault: `the package ${name} is held, so that no security fix reaches it`,
        test: `! apt-mark showhold | grep -qx ${name}`,
      })),
      ...pinned.map((name) => ({
        fault: `the package ${name} is not of version ${docker.version}`,
        test: versionHolds(name, docker.version ?? ""),
      })),
    ],
    undo: `apt-mark -qq unhold ${engine.join(" ")} >/dev/null 2>&1 || true`,
    leaves: "the packages, which others may use by now",
  };
}
