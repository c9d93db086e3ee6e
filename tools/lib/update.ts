import { root, type Workspace } from "./workspace.ts";

/**
 * Runs `pulumi up` on a stack, judged by the policies, and answers its exit code.
 * @param unasked whether the engine asks nobody
 */
export async function update({ stack, pulumi }: Workspace, unasked: boolean): Promise<number> {
  const args = ["up", "--stack", stack, "--policy-pack", `${root}/policies`, "--suppress-outputs"];
  const { code } = await pulumi([...args, ...(unasked ? ["--yes"] : [])], { output: "show", allowFailure: true });
  return code;
}
