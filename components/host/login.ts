import { quote } from "../shell.ts";

/** A way to log in over SSH with OpenSSH's own client. */
export interface Login {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** The host's public key, `type base64`. */
  readonly hostKey: string;
  /** File of the private key; `~` is the home directory. */
  readonly privateKeyPath: string;
}

/** Signatures that a pinned key can make: without this, sshd could show another of its keys, which is not pinned. */
export function signatures(hostKey: string): string[] {
  const type = hostKey.split(" ")[0] ?? "";
  return type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type];
}

/** Options of every SSH connection: the one key, the one host key, and never a question. */
export function sshOptions({ port, hostKey, privateKeyPath }: Omit<Login, "user" | "address">): string[] {
  const options = [
    `IdentityFile=${privateKeyPath}`,
    "IdentitiesOnly=yes",
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UserKnownHostsFile=none",
    "GlobalKnownHostsFile=none",
    // The pinned key, from the config rather than from a file that somebody would have to keep.
    `KnownHostsCommand=/bin/echo %H ${hostKey}`,
    `HostKeyAlgorithms=${signatures(hostKey).join(",")}`,
    "ConnectTimeout=10",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
    `Port=${port}`,
  ];
  return options.flatMap((option) => ["-o", option]);
}

/** One connection carries all calls to Docker: each would be a login of its own otherwise. */
export function sharedConnection(): string[] {
  return ["ControlMaster=auto", "ControlPath=~/.ssh/autollm-%C", "ControlPersist=60"].flatMap((option) => [
    "-o",
    option,
  ]);
}

/** A command line that runs the words after it on the host, for a shell of this machine. */
export function sshCommand(login: Login): string {
  return [
    "ssh",
    ...sshOptions(login),
    "-o",
    "ControlMaster=no",
    "-o",
    "ControlPath=none",
    `${login.user}@${login.address}`,
  ]
    .map((word) => (/^[\w@.:=/-]+$/.test(word) ? word : quote(word)))
    .join(" ");
}
