import * as pulumi from "@pulumi/pulumi";
import type { Credentials } from "../credentials/credentials.ts";
import { runInside } from "../runtime/inside.ts";
import type { Target } from "../runtime/target.ts";
import type { Workload } from "../runtime/workload.ts";

/** A server that takes two passwords while its readers move from one to the other. */
export interface OverlappingServer {
  readonly workload: Workload;
  /** Command line, inside its container, from which on it refuses the former ones. */
  readonly settle: readonly string[];
}

export interface FormerPasswordsArgs {
  readonly target: Target;
  readonly credentials: Credentials;
  /** The servers, by their workload's name. */
  readonly servers: Readonly<Record<string, OverlappingServer>>;
  /** Whoever reads their passwords; by now they have the new ones. */
  readonly readers: readonly pulumi.Resource[];
}

/** The end of a rotation: what was replaced is refused, once every reader has been given the new value. */
export class FormerPasswords extends pulumi.ComponentResource {
  constructor(name: string, args: FormerPasswordsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:data:FormerPasswords", name, {}, opts);
    const { target, credentials, servers, readers } = args;
    for (const [server, { workload, settle }] of Object.entries(servers)) {
      runInside(
        `${server}-settled`,
        { target, workload, command: settle, triggers: [credentials.overlapping(server)] },
        { parent: this, dependsOn: [...readers] },
      );
    }
    this.registerOutputs({});
  }
}
