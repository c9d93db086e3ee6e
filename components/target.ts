import { resolve } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Target } from "./runtime/target.ts";
import type { Settings } from "./settings.ts";

/** Where the stack runs: this machine's Docker. */
export function makeTarget(settings: Settings): Target {
  const stack = pulumi.getStack();
  const here = resolve(".pulumi-local", "files", stack);
  return {
    docker: new docker.Provider("docker", { host: settings.dockerHost }),
    dockerSocket: settings.dockerHost,
    filesDir:
      settings.filesDir !== ""
        ? settings.filesDir
        : settings.environment === "local"
          ? here
          : `/var/lib/autollm/files/${stack}`,
    labels: { "autollm.environment": settings.environment, "autollm.stack": stack },
  };
}
