import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { quote } from "../shell.ts";
import { contactScript } from "./contact.ts";
import { type Login, sshCommand } from "./login.ts";
import type { HostOptions } from "./options.ts";
import { contactOnHost, stepOnHost, undoOnHost } from "./reach.ts";
import { hostSteps } from "./steps/index.ts";

export interface HostArgs {
  /** How the deployer logs in, once there is one. */
  readonly login: Login;
  /** Who lets the very first connection in: root, or a user who may sudo without a password. */
  readonly firstUser: string;
  /** Where sshd answers before it is moved to `options.sshPort`. */
  readonly firstPort: number;
  readonly options: HostOptions;
}

/** No output: the engine would show it at every run. */
const silent = { logging: "none", addPreviousOutputInEnv: false } as const;

/** Runs its stdin: the engine repeats a command that failed, and the fault's own line should be seen. */
const SHELL = "sh -s";

/**
 * A bare Debian 13 machine made into the platform's host, over SSH. Each step is a resource of its own: a change of one touches no
 * other. Destroying takes back what is the steps' own, in the reverse order, and leaves packages, accounts and data.
 */
export class Host extends pulumi.ComponentResource {
  /** The host's address; unknown until every step is done. What needs the host takes its address from here. */
  readonly address: pulumi.Output<string>;
  /** What needs the finished host depends on this. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: HostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:host:Host", name, {}, opts);
    const { login, options } = args;
    const contact = new command.local.Command(
      `${name}-contact`,
      {
        create: SHELL,
        stdin: contactOnHost(login, args.firstUser, args.firstPort, contactScript(options.deployerKeys)),
        ...silent,
      },
      { parent: this },
    );
    const done = new Map<string, pulumi.Resource>();
    for (const step of hostSteps(options)) {
      const resource = new command.local.Command(
        `${name}-${step.name}`,
        {
          create: SHELL,
          stdin: stepOnHost(step, login, args.firstPort),
          delete: undoOnHost(step, login, args.firstPort),
          // What a deletion leaves on the host is said.
          logging: "stdout",
          addPreviousOutputInEnv: false,
        },
        {
          parent: this,
          // A forced replacement would otherwise undo the step after doing it again.
          deleteBeforeReplace: true,
          dependsOn: [contact, ...step.after.flatMap((needed) => done.get(needed) ?? [])],
        },
      );
      done.set(step.name, resource);
    }
    // The deployer itself asks Docker, as the provider will. Its output changes with no step, so a step's change shows no other.
    const ready = new command.local.Command(
      `${name}-ready`,
      { create: `${sshCommand(login)} ${quote("docker version --format '{{.Server.Os}}'")} </dev/null`, ...silent },
      { parent: this, dependsOn: [...done.values()] },
    );
    this.ready = ready;
    this.address = ready.stdout.apply(() => login.address);
    this.registerOutputs({ address: this.address });
  }
}
