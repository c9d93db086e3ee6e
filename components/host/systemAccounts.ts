import { DEPLOYER, OWNER } from "./options.ts";

/** Users and groups that Debian 13's base-passwd makes (/usr/share/base-passwd): an account's own group would have the same name. */
const ofDebian =
  "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc _apt nobody adm tty disk kmem dialout fax voice cdrom floppy tape sudo audio dip operator src shadow utmp video sasl plugdev staff users nogroup";

/** Those of systemd, sshd, D-Bus and of the packages that the host's steps install. */
const ofPackages =
  "systemd-journal systemd-network systemd-resolve systemd-timesync systemd-coredump messagebus sshd _ssh crontab input kvm render sgx clock netdev polkitd tcpdump uuidd _chrony docker dockremap fail2ban";

/** Names that no admin may have: system accounts and groups, which exist below uid 1000, and the platform's own. */
export const systemAccounts: ReadonlySet<string> = new Set([
  ...ofDebian.split(" "),
  ...ofPackages.split(" "),
  DEPLOYER,
  OWNER,
]);
