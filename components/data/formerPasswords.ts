import * as pulumi from "@pulumi/pulumi";
import type { Credentials } from "../credentials/credentials.ts";
import { runInside } from "../runtime/inside.ts";
import { shell, type Target } from "../runtime/target.ts";
import type { Workload } from "../runtime/workload.ts";
import { quote } from "../shell.ts";

/** A server that accepts both passwords while its readers are replaced, and then ends the sessions of the previous one. */
export interface OverlappingServer {
  readonly workload: Workload;
  /** Command line, inside its container, after which it refuses the previous passwords and has ended their sessions. */
  readonly settle: readonly string[];
}

export interface FormerPasswordsArgs {
  readonly target: Target;
  readonly credentials: Credentials;
  /** The servers, by their workload's name. */
  readonly servers: Readonly<Record<string, OverlappingServer>>;
  /** The readers of their passwords, which have the new ones by now. */
  readonly readers: readonly pulumi.Resource[];
  /** The workloads of the readers. */
  readonly workloads: readonly string[];
}

/**
 * Stops every container of the workloads but the newest of each. A rolling deploy has put the new one in service by now, and the
 * engine would remove the old one last: until then it would answer requests with a password that is refused.
 */
export function stopFormerScript(target: Target, workloads: readonly string[]): string {
  const docker = `docker --host ${quote(target.dockerSocket)}`;
  const stack = `label=autollm.stack=${target.labels["autollm.stack"]}`;
  return [
    `for service in ${workloads.map(quote).join(" ")}; do`,
    // The newest comes first.
    `  for former in $(${docker} ps --quiet --filter ${quote(stack)} --filter "label=autollm.service=$service" | tail -n +2); do`,
    `    ${docker} stop "$former" >/dev/null &`,
    "  done",
    "done",
    "wait",
  ].join("\n");
}

/** The end of a rotation: what was replaced is refused, and its sessions are ended, once every reader has been given the new value. */
export class FormerPasswords extends pulumi.ComponentResource {
  constructor(name: string, args: FormerPasswordsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:data:FormerPasswords", name, {}, opts);
    const { target, credentials, servers, readers, workloads } = args;
    const triggers = Object.keys(servers).map((server) => credentials.versions(server));
    const stopped = shell(
      "former-containers",
      target,
      { create: stopFormerScript(target, workloads), triggers },
      { parent: this, dependsOn: [...readers] },
    );
    for (const [server, { workload, settle }] of Object.entries(servers)) {
      runInside(
        `${server}-settled`,
        {
          target,
          workload,
          command: settle,
          triggers: [credentials.overlapping(server), credentials.versions(server)],
        },
        { parent: this, dependsOn: [...readers, stopped] },
      );
    }
    this.registerOutputs({});
  }
}
