import * as command from "@pulumi/command";
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { asRoot } from "../shell.ts";

/** Where workloads run: a Docker daemon, and a way to write files on its machine. */
export interface Target {
  /** The provider that talks to the daemon. */
  readonly docker: docker.Provider;
  /** The daemon's address on its own machine. */
  readonly dockerSocket: string;
  /** Absolute directory on the daemon's machine for configuration and secret files. Its parent's mode is 0700. */
  readonly filesDir: string;
  /** The SSH connection of a remote machine; absent for this one. */
  readonly connection?: command.types.input.remote.ConnectionArgs;
  /** The resources that a command over that connection waits for. */
  readonly ready?: pulumi.Resource;
  /** Shell words, for this machine, that load an image archive from stdin into a remote daemon; absent for a local one. */
  readonly imageLoader?: pulumi.Input<string>;
  /** The environment's name, as in metrics, traces, logs and Grafana. */
  readonly environment: string;
  /** Seconds between two health checks of a container. */
  readonly healthInterval: number;
  /**
   * Whether the containers are made without being started, but those that an update needs: so is a host to which a stack
   * moves, until it serves (docs/move.md).
   */
  readonly held?: boolean;
  /** Labels of every container of the stack. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface ShellArgs {
  readonly create: pulumi.Input<string>;
  /** Runs in place of `create` where that has run before, and its text has changed. Default: `create` again. */
  readonly update?: pulumi.Input<string>;
  readonly delete?: pulumi.Input<string>;
  /** Written to the script's standard input: the only way for a secret. */
  readonly stdin?: pulumi.Input<string>;
  /** A change of any of these runs the script again, as a new resource. */
  readonly triggers: pulumi.Input<string>[];
}

/** Runs a script on the target's machine, over SSH if that is not this one. Nothing of its output is logged. */
export function shell(
  name: string,
  target: Target,
  args: ShellArgs,
  opts: pulumi.CustomResourceOptions,
): command.local.Command | command.remote.Command {
  if (target.connection === undefined) {
    return new command.local.Command(name, { ...args, logging: "none", addPreviousOutputInEnv: false }, opts);
  }
  const { create, update, delete: undo, ...rest } = args;
  const scripts = {
    create: pulumi.output(create).apply(asRoot),
    ...(update === undefined ? {} : { update: pulumi.output(update).apply(asRoot) }),
    ...(undo === undefined ? {} : { delete: pulumi.output(undo).apply(asRoot) }),
  };
  return new command.remote.Command(
    name,
    { ...rest, ...scripts, connection: target.connection, logging: "none", addPreviousOutputInEnv: false },
    pulumi.mergeOptions(opts, target.ready === undefined ? {} : { dependsOn: target.ready }),
  );
}
