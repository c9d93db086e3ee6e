import type { Finding, ResourceRule } from "../lib/rule.ts";
import { COMMANDS, DOCKER_PROVIDER, REMOTE_COMMANDS } from "../lib/types.ts";
import { isMissing, isUnknown, type Props, record, texts, type Value } from "../lib/value.ts";

const UNCHECKED =
  /StrictHostKeyChecking["']?[\s=,"']+(no|off|accept-new)\b|UserKnownHostsFile["']?[\s=,"']+\/dev\/null/i;
const TRUSTED_BLINDLY = /ssh-keyscan[^|;&\n]*>+\s*\S*known_hosts/;

export const sshHostKeyPinned: ResourceRule = {
  name: "ssh-host-key-pinned",
  title: "Every SSH connection pins the host's key",
  level: "mandatory",
  severity: "critical",
  why: "Without the key, an attacker between the two machines can take over the connection, and every secret in it.",
  fix: "set connection.hostKey to the host's public key (ssh-keyscan, compared with the host's console)",
  types: [...COMMANDS, DOCKER_PROVIDER],
  *check({ type, props }) {
    if ((REMOTE_COMMANDS as readonly string[]).includes(type)) yield* checkConnection("connection", props.connection);
    yield* checkOptions(props);
  },
};

function* checkConnection(key: string, value: Value): Generator<Finding> {
  if (isUnknown(value)) return;
  const connection = record(value);
  if (isMissing(connection.hostKey)) yield { key: `${key}.hostKey`, problem: "is missing" };
  if (connection.proxy !== undefined) yield* checkConnection(`${key}.proxy`, connection.proxy);
}

function* checkOptions(props: Props): Generator<Finding> {
  for (const key of ["create", "update", "delete", "sshOpts", "host"]) {
    const value = props[key];
    const shown = typeof value === "string" ? value : texts(value).join(" ");
    if (UNCHECKED.test(shown) || TRUSTED_BLINDLY.test(shown)) {
      yield {
        key,
        problem: "turns the check of SSH host keys off",
        fix: "set StrictHostKeyChecking=yes and a UserKnownHostsFile that holds the pinned key",
      };
    }
  }
}
