import { loginOf } from "../../../components/host/fromSettings.ts";
import { contactOnHost } from "../../../components/host/reach.ts";
import type { Settings } from "../../../components/settings.ts";
import { KINDS } from "../interrupted.ts";
import { canAskHost } from "../keyAgent.ts";
import { UserError } from "../log.ts";
import { rotationConfig, unfinished } from "../rollover.ts";
import { run } from "../run.ts";
import { StackFile } from "../stackFile.ts";
import { deploymentOf } from "../state.ts";
import { humanBytes } from "../units.ts";
import type { Workspace } from "../workspace.ts";
import { stackFileOf } from "./context.ts";
import type { Place } from "./record.ts";
import { Side } from "./side.ts";

/** Packages, Docker and the images, besides the data. */
const PLATFORM_KIB = 8 * 1024 * 1024;

/** What a machine that may become the host says of itself. */
export interface NewHost {
  readonly system: string;
  readonly architecture: string;
  readonly freeKiB: number;
  /** Containers of any stack of this program. */
  readonly containers: number;
}

const LOOK = `
. /etc/os-release
echo "system $ID \${VERSION_ID:-}"
echo "architecture $(dpkg --print-architecture 2>/dev/null || uname -m)"
mkdir -p /var/lib
echo "free $(df -Pk /var/lib | awk 'NR == 2 { print $4 }')"
echo "containers $(docker ps --all --quiet --filter label=autollm.stack 2>/dev/null | wc -l)"
`;

/** Reads what the machine said. */
export function readNewHost(answer: string): NewHost {
  const after = (word: string) => new RegExp(`^${word} (.*)$`, "m").exec(answer)?.[1]?.trim() ?? "";
  return {
    system: after("system"),
    architecture: after("architecture"),
    freeKiB: Number(after("free")),
    containers: Number(after("containers")),
  };
}

/** Why a machine cannot take the stack, a line each. */
export function newHostFaults(found: NewHost, neededKiB: number): readonly string[] {
  const faults: string[] = [];
  if (found.system !== "debian 13") faults.push(`it runs ${found.system}: install Debian 13`);
  if (!["amd64", "arm64"].includes(found.architecture))
    faults.push(`its processor is ${found.architecture}: take one of amd64 or arm64`);
  if (found.freeKiB < neededKiB)
    faults.push(
      `${humanBytes(found.freeKiB * 1024)} are free on /var/lib: the data and the platform need ${humanBytes(neededKiB * 1024)}`,
    );
  if (found.containers > 0)
    faults.push(`it has ${found.containers} containers of a stack of this program: take a bare machine`);
  return faults;
}

/**
 * Refuses what keeps a move from its end, before anything changes.
 * @throws UserError with all faults at once
 */
export async function checkMove(workspace: Workspace, settings: Settings, to: Place): Promise<void> {
  const { host } = settings;
  if (host === undefined) throw new Error("a move of a stack without a host");
  const faults: string[] = [];
  if (!canAskHost(settings))
    faults.push(`this machine has no key of the hosts: ${host.privateKeyPath} (host.privateKeyPath)`);
  const file = new StackFile(stackFileOf(workspace));
  if (file.importsEnvironments() && file.get("host") === undefined)
    faults.push("`host` comes from an environment of Pulumi ESC: set it in the stack's file, which the move changes");
  const state = await deploymentOf(workspace);
  if ((state.pending_operations ?? []).length > 0) faults.push("an update was interrupted: end it with up, first");
  const rotating = unfinished(await rotationConfig(workspace));
  if (rotating.length > 0) faults.push(`a rotation is unfinished (${rotating.join(", ")}): end it with up, first`);
  const volumes = (state.resources ?? []).flatMap(({ type, id }) =>
    KINDS[type] === "volume" && id !== undefined ? [id] : [],
  );
  if (volumes.length === 0) faults.push("the stack was never up: set host.address to the new host, and run up");
  if (faults.length === 0) {
    const used = Number(
      /^used (\d+)$/m.exec(
        await new Side(workspace.stack, settings, host).run("room", { VOLUMES: volumes.join(" ") }),
      )?.[1] ?? 0,
    );
    const next = { ...host, ...to };
    const { code, stdout, stderr } = await run("sh", ["-s"], {
      input: contactOnHost(loginOf(next), next.user, next.firstPort, LOOK),
      allowFailure: true,
    });
    if (code === 0) faults.push(...newHostFaults(readNewHost(stdout), PLATFORM_KIB + used));
    else faults.push(stderr.trim().split("\n").at(-1) ?? "it does not answer");
  }
  if (faults.length > 0)
    throw new UserError([`${to.address} cannot become the host of ${workspace.stack}:`, ...faults].join("\n  "));
}
