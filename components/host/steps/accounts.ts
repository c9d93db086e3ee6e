import { type HostOptions, OWNER } from "../options.ts";
import { HOST_STATE } from "../scripts.ts";
import type { Check, HostFile, Step } from "../step.ts";

/** Keys lie where only root can write, so that nobody can let somebody else in. */
export const KEYS_DIR = "/etc/ssh/autollm-keys";
/** Debian's range of people's accounts (/etc/login.defs, UID_MIN); `nobody` is the first above it. */
const FIRST_UID = 1000;
const NOBODY_UID = 65_534;
const SUDOERS = "/etc/sudoers.d/autollm";

/** Everybody who may log in: name to public keys. */
export function logins(options: HostOptions): Readonly<Record<string, readonly string[]>> {
  return { ...options.admins, [options.deployer]: options.deployerKeys };
}

/** Accounts have no password, so sudo cannot ask for one: the key is the proof. */
export function sudoers(names: readonly string[]): string {
  return [...names]
    .sort()
    .map(
      (name) => `Defaults:${name} !authenticate
${name} ALL=(ALL:ALL) ALL
`,
    )
    .join("");
}

/** A system account must not become a person's: its programs would be root's equal by sudo. Said before anything is changed. */
function refuseSystemAccount(name: string): string {
  return `if uid=$(id -u ${name} 2>/dev/null) && { [ "$uid" -lt ${FIRST_UID} ] || [ "$uid" -ge ${NOBODY_UID} ]; }; then fail "${name} is a system account of this host (uid $uid): name another in host.admins"; fi`;
}

export function accountsStep(options: HostOptions): Step {
  const all = logins(options);
  const names = Object.keys(all).sort();
  const files: HostFile[] = names.map((name) => ({
    path: `${KEYS_DIR}/${name}`,
    content: (all[name] ?? []).map((key) => `${key}\n`).join(""),
  }));
  files.push({ path: SUDOERS, content: sudoers(names), mode: "0440" });
  const checks: Check[] = [
    { fault: `the account ${OWNER} is missing`, test: `id ${OWNER}` },
    { fault: `${OWNER} is in the group docker`, test: `! id -nG ${OWNER} | grep -qw docker` },
    ...names.map((name) => ({ fault: `the account ${name} is missing`, test: `id ${name}` })),
    {
      fault: "there is an account beside root with root's number",
      test: "! getent passwd | awk -F: '$3 == 0 && $1 != \"root\"' | grep -q .",
      driftOnly: true,
    },
    {
      fault: "an account has a password",
      test: "! awk -F: '$2 !~ /^[!*]/ {print $1}' /etc/shadow | grep -q .",
      driftOnly: true,
    },
  ];
  return {
    name: "accounts",
    purpose: `makes ${OWNER}, who owns the data, and the admins' accounts with their keys, all without passwords`,
    after: [],
    // A wrong key of the deployer would lock the deployments out.
    proven: "as-it-is",
    prepare: [
      ...names.map(refuseSystemAccount),
      `id ${OWNER} >/dev/null 2>&1 || useradd --system --user-group --home-dir /var/lib/autollm --no-create-home --shell /usr/sbin/nologin ${OWNER}`,
      ...names.map((name) => `id ${name} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash ${name}`),
      ...names.map(reopen),
      // Root is left to the console and to sudo.
      "usermod --lock root",
    ].join("\n"),
    files,
    activate: `if [ -f ${SUDOERS} ]; then visudo -c -q -f ${SUDOERS} || fail "the sudoers file is faulty"; fi`,
    checks,
    // The deployer has a file of its own from the first contact, so it keeps its way in.
    undo: ":",
    leaves: "the accounts, since files may belong to them",
  };
}

/** Accounts that the step undeclared has closed, a line each with its name and its shell before. */
const CLOSED = `${HOST_STATE}/closed-accounts`;

/** Gives an account that is declared by now its shell back. */
function reopen(name: string): string {
  return `if [ -f ${CLOSED} ]; then awk -v name=${name} '$1 == name {print $2}' ${CLOSED} | tail -n 1 | while read -r shell; do usermod --expiredate '' --shell "$shell" ${name}; done; sed -i '/^${name} /d' ${CLOSED}; fi`;
}

/**
 * Closes accounts of people that nobody declared, such as the one that a cloud's image brings along with sudo and the cloud's keys.
 * Nobody is let in by them anyway; closed, they are of no use to a program that broke out, either. The accounts and their files stay.
 * After ssh, when the deployer is known to get in.
 */
export function undeclaredStep(options: HostOptions): Step {
  const known = [...Object.keys(logins(options)).sort(), OWNER].join("|");
  const open = `getent passwd | awk -F: '$3 >= ${FIRST_UID} && $3 < ${NOBODY_UID} && $7 !~ /(nologin|false|sync)$/ {print $1, $7}' | grep -vE '^(${known}) '`;
  return {
    name: "undeclared",
    purpose: "closes accounts with a login shell that nobody declared, a cloud image's own among them",
    after: ["ssh"],
    activate: `${open} | while read -r name shell; do echo "$name $shell" >> ${CLOSED}; usermod --expiredate 1 --shell /usr/sbin/nologin "$name"; done || true`,
    checks: [{ fault: "there is an account with a login shell that nobody declared", test: `! ${open} | grep -q .` }],
    undo: `if [ -f ${CLOSED} ]; then while read -r name shell; do usermod --expiredate '' --shell "$shell" "$name" || true; done < ${CLOSED}; rm -f ${CLOSED}; fi`,
  };
}
