import type { Daemon } from "./daemon.ts";

/** Holds the switch: a file in its volume, which survives restarts and deploys. */
const HOLDER = "risk-manager";

/** A container, or a daemon, may hang; nobody who stops trading waits for it. */
const LIMIT_MS = 10_000;

/** What the shell inside the container does; the file's path is in its environment. A switch that is set keeps its first reason. */
const scripts = {
  on: 'f=$KILL_SWITCH_FILE; [ -e "$f" ] || { cat >"$f.part" && mv "$f.part" "$f" && { sync "$f" || :; }; }; cat "$f"',
  off: 'rm -rf "$KILL_SWITCH_FILE"',
  status: 'if [ -e "$KILL_SWITCH_FILE" ]; then cat "$KILL_SWITCH_FILE" || echo "{}"; fi',
} as const;

export type KillSwitchAction = keyof typeof scripts;

/**
 * Sets, releases or reads the application's own switch, whether or not its holder is running.
 * @param detail what the file says if the switch is set again
 * @returns what the file says; empty where the switch is not set
 */
export async function killSwitch(daemon: Daemon, action: KillSwitchAction, detail: object = {}): Promise<string> {
  const container = await daemon.container(HOLDER);
  const input = `${JSON.stringify(detail)}\n`;
  const shell = ["sh", "-c", scripts[action]];
  const running = await daemon.run(["exec", "--interactive", container, ...shell], {
    input,
    allowFailure: true,
    limit: LIMIT_MS,
  });
  if (running.code === 0) return running.stdout.trim();
  // It is down: the same in a container of its image that has its volumes, user and nothing else.
  const format =
    "{{.Image}} {{.Config.User}} {{range $index, $group := .HostConfig.GroupAdd}}{{if $index}},{{end}}{{$group}}{{end}}{{range .Config.Env}} {{.}}{{end}}";
  const inspected = await daemon.ask("inspect", "--format", format, container);
  const [image = "", user = "", groups = "", ...environment] = inspected.split(" ");
  const path = environment.find((variable) => variable.startsWith("KILL_SWITCH_FILE=")) ?? "";
  const hardened = ["--rm", "--interactive", "--network", "none", "--read-only", "--cap-drop", "ALL"];
  // The file may lie in a volume that it shares by a group.
  const joined = groups.split(",").flatMap((group) => (group === "" ? [] : ["--group-add", group]));
  const options = [
    ...hardened,
    "--user",
    user,
    ...joined,
    "--env",
    path,
    "--volumes-from",
    container,
    "--entrypoint",
    "sh",
  ];
  return (
    await daemon.run(["run", ...options, image, "-c", scripts[action]], { input, limit: LIMIT_MS })
  ).stdout.trim();
}
