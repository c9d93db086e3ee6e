import { shell, type Target } from "../runtime/target.ts";
import type { Claim } from "../runtime/workloadSpec.ts";
import { quote } from "../shell.ts";

/** The folder of the claims, in NATS's live directory: a file per service, with what follows its user's name. */
const CLAIMS = "claims";

export interface NatsClaimArgs {
  readonly target: Target;
  /** NATS's live directory. */
  readonly directory: string;
  readonly service: string;
  /** The name of its user without a claim. */
  readonly user: string;
}

/**
 * Ends the running containers of a service, gives its NATS user another name, and ends with 0 once no connection of a previous
 * name is left. Prints the new suffix of the user's name.
 */
export function claimScript(
  args: Omit<NatsClaimArgs, "target" | "user"> & { readonly dockerSocket: string; readonly stack: string },
): string {
  const { dockerSocket, stack, service, directory } = args;
  return [
    "set -eu",
    `claims=${quote(`${directory}/${CLAIMS}`)} service=${quote(service)} stack=${quote(stack)}`,
    `docker() { command docker --host ${quote(dockerSocket)} "$@"; }`,
    'of() { docker ps --quiet --filter "label=autollm.stack=$stack" --filter "label=autollm.service=$1" --filter "status=$2"; }',
    "nonce=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')",
    "nats=$(of nats running | head -n 1)",
    `[ -n "$nats" ] || { echo "${service}: NATS does not run, so nothing proves that the former one can get no order" >&2; exit 1; }`,
    // The previous container still has its user, and may publish what it has done. A paused one is not resumed, as it might trade.
    'for id in $(of "$service" running); do docker stop "$id" >/dev/null || true; done',
    'for id in $(of "$service" paused); do docker kill "$id" >/dev/null || true; done',
    'mkdir -p "$claims" && chmod 0755 "$claims"',
    '(umask 022 && printf %s "$nonce" >"$claims/$service.new") && mv "$claims/$service.new" "$claims/$service"',
    'docker exec "$nats" /bin/sh /etc/autollm/users.sh fence "$service" "$nonce" >&2',
    'printf %s "$nonce"',
  ].join("\n");
}

/**
 * Prevents two containers of a service from receiving orders: whenever its container changes, the previous one's NATS user is
 * revoked and its connections are seen to end before the new one starts, whatever became of the previous process.
 */
export function natsClaim({ target, directory, service, user }: NatsClaimArgs): Claim {
  return (digest, opts) => {
    const stack = target.labels["autollm.stack"] ?? "";
    const create = claimScript({ dockerSocket: target.dockerSocket, stack, service, directory });
    const claimed = shell(`${service}-claim`, target, { create, triggers: [digest] }, opts);
    const name = claimed.stdout.apply((nonce) => (nonce === "" ? user : `${user}.${nonce}`));
    return { environment: { NATS_USER: name }, claimed };
  };
}
