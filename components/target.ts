import { resolve } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Target } from "./runtime/target.ts";
import type { Settings } from "./settings.ts";

/** Where the files go unless the config says otherwise: inside the clone for a local stack, else where the host keeps its state. */
export function filesDirectory(
  { environment, filesDir }: Pick<Settings, "environment" | "filesDir">,
  stack: string,
): string {
  if (filesDir !== "") return filesDir;
  return environment === "local" ? resolve(".pulumi-local", "files", stack) : `/var/lib/autollm/files/${stack}`;
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
