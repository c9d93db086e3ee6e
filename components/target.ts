import { homedir } from "node:os";
import { join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Target } from "./runtime/target.ts";
import type { Settings } from "./settings.ts";

/** Where the files go unless the config says otherwise: in the user's own state for a local stack, else where the host keeps its state. */
export function filesDirectory(
  { environment, filesDir }: Pick<Settings, "environment" | "filesDir">,
  stack: string,
): string {
  if (filesDir !== "") return filesDir;
  return environment === "local"
    ? join(homedir(), ".local", "state", "autollm-trader", stack)
    : `/var/lib/autollm/files/${stack}`;
}

/** Where the stack runs: this machine's Docker. */
export function makeTarget(settings: Settings): Target {
  const stack = pulumi.getStack();
  return {
    docker: new docker.Provider("docker", { host: settings.dockerHost }),
    dockerSocket: settings.dockerHost,
    filesDir: filesDirectory(settings, stack),
    labels: { "autollm.environment": settings.environment, "autollm.stack": stack },
  };
}
