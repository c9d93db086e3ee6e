import * as pulumi from "@pulumi/pulumi";
import { shell, type Target } from "../runtime/target.ts";
import type { HostMount } from "../runtime/workloadSpec.ts";
import { quote } from "../shell.ts";
import { KILL_SWITCH_MOUNT, killSwitchDirectory } from "./killSwitch.ts";

export interface KillSwitchMountArgs {
  readonly target: Target;
}

/**
 * The directory of the platform's kill switch on the Docker host. The engine creates it and never sets or releases the switch:
 * only `./autollm kill-switch` does, without the engine. While the switch is set, the directory stays even after its stack is gone.
 */
export class KillSwitchMount extends pulumi.ComponentResource {
  /** For every workload that obeys the switch or shows it. */
  readonly mount: HostMount;

  constructor(name: string, { target }: KillSwitchMountArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:platform:KillSwitchMount", name, {}, opts);
    const path = killSwitchDirectory(target.filesDir);
    const directory = shell(
      name,
      target,
      {
        create: [
          "set -eu",
          `base=${quote(target.filesDir)} dir=${quote(path)}`,
          'mkdir -p "$base" && chmod 0700 "$base" && mkdir -p "$dir" && chmod 0755 "$dir"',
        ].join("\n"),
        delete: `rmdir ${quote(path)} 2>/dev/null || true`,
        triggers: [path],
      },
      { parent: this },
    );
    // Known once the directory exists: Docker mounts no path that does not exist.
    this.mount = { source: directory.urn.apply(() => path), path: KILL_SWITCH_MOUNT };
    this.registerOutputs({ path });
  }
}
