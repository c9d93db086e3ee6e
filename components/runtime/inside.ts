import * as pulumi from "@pulumi/pulumi";
import { quote } from "../shell.ts";
import { shell, type Target } from "./target.ts";
import type { Workload } from "./workload.ts";

export interface InsideArgs {
  readonly target: Target;
  readonly workload: Workload;
  /** Command line inside the container; running it twice must be harmless. */
  readonly command: readonly string[];
  /** It runs again if one of these changes, and in a new container. */
  readonly triggers: pulumi.Input<string>[];
}

/** Runs a command inside a workload's container, as a step of an `up`. */
export function runInside(name: string, args: InsideArgs, opts: pulumi.CustomResourceOptions): pulumi.CustomResource {
  const { target, workload, command, triggers } = args;
  const docker = `docker --host ${quote(target.dockerSocket)}`;
  return shell(
    name,
    target,
    {
      create: pulumi.interpolate`${docker} exec ${workload.container.id} ${command.map(quote).join(" ")} >&2`,
      triggers,
    },
    { ...opts, deletedWith: workload.container },
  );
}
