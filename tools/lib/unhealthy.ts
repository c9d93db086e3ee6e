import { say } from "./log.ts";
import { run } from "./run.ts";

/** How much of a container's log tells why it does not start. */
const LOG_LINES = 15;

/** Shows the last words of a stack's containers that are not well, so that nobody has to ask Docker at 3 a.m. */
export async function showUnhealthy(stack: string): Promise<void> {
  const format = '{{.Names}}\t{{.Status}}\t{{.Label "autollm.deploy"}}';
  const { stdout } = await run(
    "docker",
    ["ps", "--all", "--filter", `label=autollm.stack=${stack}`, "--format", format],
    {
      allowFailure: true,
    },
  );
  for (const line of stdout.split("\n").filter((text) => text !== "")) {
    const [name = "", status = "", deploy] = line.split("\t");
    if (status.includes("(healthy)") || deploy === "on-demand") continue;
    const logs = await run("docker", ["logs", "--tail", String(LOG_LINES), name], { allowFailure: true });
    say(
      `\n${name} is not healthy (${status}); its last lines:\n${`${logs.stdout}${logs.stderr}`.trimEnd().replaceAll(/^/gm, "  ")}`,
    );
  }
}
