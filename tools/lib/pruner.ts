import type { Pruned, PruneRequest } from "../../services/backup/src/second.ts";
import type { Daemon } from "./daemon.ts";
import { UserError } from "./log.ts";
import { run } from "./run.ts";
import { settingsOf } from "./stackSettings.ts";
import type { Workspace } from "./workspace.ts";

function key(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "")
    throw new UserError(`set ${name} in the environment: a key of S3 that may delete, and that the stack never has`);
  return value;
}

/**
 * Prunes the second repository from this machine, in a container of the backup's image on this machine's own Docker: the key that
 * may delete never reaches the stack's host.
 */
export async function remotePruner(
  workspace: Workspace,
  daemon: Daemon,
  url: string,
): Promise<(dryRun: boolean) => Promise<Pruned>> {
  const [accessKey, secretKey] = [key("PRUNE_ACCESS_KEY"), key("PRUNE_SECRET_KEY")];
  const { stack, pulumi } = workspace;
  const { backup } = await settingsOf(workspace);
  // Outside local the image has a name that any Docker can pull.
  const image =
    backup.image ?? (await daemon.ask("inspect", "--format", "{{.Image}}", await daemon.container("backup")));
  const { stdout } = await pulumi(["stack", "output", "backupKey", "--show-secrets", "--stack", stack]);
  return async (dryRun) => {
    const request: Omit<PruneRequest, "key"> & { password: string } = {
      ...{ url, stack, accessKey, secretKey, dryRun },
      password: stdout.trim(),
    };
    const container = ["run", "--rm", "--interactive", "--network", "host", "--read-only", "--tmpfs", "/tmp"];
    const ended = await run(
      "docker",
      [
        ...container,
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges:true",
        image,
        "node",
        "/app/backup.mjs",
        "prune",
      ],
      { input: JSON.stringify(request), allowFailure: true },
    );
    if (ended.code !== 0) throw new UserError(ended.stderr.trim() || `the pruner ended with ${ended.code}`);
    return JSON.parse(ended.stdout) as Pruned;
  };
}
