import * as pulumi from "@pulumi/pulumi";
import { shell, type Target } from "../runtime/target.ts";
import type { HostMount } from "../runtime/workloadSpec.ts";
import { quote } from "../shell.ts";
import { KILL_SWITCH_FILE, KILL_SWITCH_MOUNT, killSwitchDirectory, killSwitchText } from "./killSwitch.ts";

export interface KillSwitchMountArgs {
  readonly target: Target;
  /** Whether trading is with real money. */
  readonly live: boolean;
}

/** The file of the switch as a new stack with real money has it; the time is the host's. */
const HELD = killSwitchText({
  reason: "a new stack with real money starts stopped: restore its data or compare it with the broker's, then release",
  at: "$now",
});

/**
 * Creates the directory. Where nothing was there before and trading is with real money, the switch is on from the first moment:
 * empty stores know no positions and no limits that are used up.
 */
export function createScript(filesDir: string, live: boolean): string {
  const directory = [
    "set -eu",
    `base=${quote(filesDir)} dir=${quote(killSwitchDirectory(filesDir))}`,
    'mkdir -p "$base" && chmod 0700 "$base" && mkdir -p "$dir" && chmod 0755 "$dir"',
  ];
  const held = [
    "now=$(date -u +%Y-%m-%dT%H:%M:%SZ)",
    `switch="$dir/${KILL_SWITCH_FILE}"`,
    '[ -e "$switch" ] || {',
    '  cat >"$switch.new" <<TEXT',
    HELD.trimEnd(),
    "TEXT",
    '  mv "$switch.new" "$switch"',
    "}",
  ];
  return [...directory, ...(live ? held : [])].join("\n");
}

/**
 * The directory of the platform's kill switch on the Docker host. The engine creates it, for a new stack with real money with the
 * switch on, and never sets or releases the switch after that: only `./autollm kill-switch` does, without the engine. While the
 * switch is set, the directory stays even after its stack is gone.
 */
export class KillSwitchMount extends pulumi.ComponentResource {
  /** For every workload that obeys the switch or shows it. */
  readonly mount: HostMount;

  constructor(name: string, { target, live }: KillSwitchMountArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:platform:KillSwitchMount", name, {}, opts);
    const path = killSwitchDirectory(target.filesDir);
    const directory = shell(
      name,
      target,
      {
        create: createScript(target.filesDir, live),
        // A stack that begins to trade with real money has its data already.
        ...(live ? { update: createScript(target.filesDir, false) } : {}),
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
