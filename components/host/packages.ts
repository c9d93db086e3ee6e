import type { Step } from "./step.ts";

/** Everything that any step needs, so that apt is asked once. */
export const packages = [
  "apparmor",
  "auditd",
  "ca-certificates",
  "docker.io",
  "docker-cli",
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

/** Their version changes only when somebody means it: a new engine restarts every container that live-restore cannot keep. */
export const heldPackages = ["docker.io", "docker-cli", "containerd", "runc"] as const;

/** Seconds that another apt or dpkg, such as the first boot's, is waited for. */
const LOCK_SECONDS = 300;

/** apt that waits for whoever holds its locks, and asks nothing. */
export const APT = [
  "apt_get() {",
  `  end=$(($(date +%s) + ${LOCK_SECONDS}))`,
  "  while :; do",
  `    if out=$(apt-get -qq -o DPkg::Lock::Timeout=${LOCK_SECONDS} -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold "$@" 2>&1 </dev/null); then return 0; fi`,
  '    case $out in *"Could not get lock"*|*"Unable to lock"*) ;; *) fail "apt-get $1: $(echo "$out" | tail -n 4)" ;; esac',
  '    if [ "$(date +%s)" -ge "$end" ]; then fail "another apt has held the lock for 5 minutes: $(echo "$out" | tail -n 2)"; fi',
  "    sleep 2",
  "  done",
  "}",
].join("\n");

/** Installs what all steps need, with the security upgrades of the day. */
export function packagesStep(): Step {
  const names = packages.join(" ");
  return {
    name: "packages",
    purpose: "installs all packages in one go, brings the system up to date, and holds Docker's version",
    after: [],
    prepare: [
      APT,
      // An interrupted installation is finished first.
      "dpkg --configure -a >/dev/null 2>&1 </dev/null || true",
      "fresh=$(find /var/lib/apt/lists -maxdepth 1 -name '*_InRelease' -mmin -10 2>/dev/null | head -n 1)",
      'if [ -z "$fresh" ]; then apt_get update; fi',
      `if ! dpkg-query -W -f '\${db:Status-Status}\\n' ${names} 2>/dev/null | sort -u | grep -qx installed || [ "$(dpkg-query -W -f '\${db:Status-Status}\\n' ${names} 2>/dev/null | grep -cx installed)" -ne ${packages.length} ]; then`,
      `  apt_get install --yes --no-install-recommends ${names}`,
      "fi",
      "apt_get upgrade --yes",
      `apt-mark -qq hold ${heldPackages.join(" ")} >/dev/null`,
    ].join("\n"),
    checks: [
      ...packages.map((name) => ({
        fault: `the package ${name} is not installed`,
        test: `[ "$(dpkg-query -W -f '\${db:Status-Status}' ${name})" = installed ]`,
      })),
      ...heldPackages.map((name) => ({
        fault: `the package ${name} is not held`,
        test: `apt-mark showhold | grep -qx ${name}`,
      })),
    ],
    undo: `apt-mark -qq unhold ${heldPackages.join(" ")} >/dev/null`,
    leaves: "the packages, which others may use by now",
  };
}
