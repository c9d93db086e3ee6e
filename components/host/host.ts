import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { quote } from "../runtime/files.ts";
import { contactCommand, contactScript, provenCommand } from "./contact.ts";
import { type Login, sshCommand } from "./login.ts";
import type { HostOptions } from "./options.ts";
import { hostSteps } from "./plan.ts";
import { applyScript, asRoot, ROOT_SHELL, undoScript } from "./scripts.ts";

export interface HostArgs {
  /** How the deployer logs in, once there is one. */
  readonly login: Login;
  /** The private key itself, which the command provider takes as text. */
  readonly privateKey: pulumi.Input<string>;
  /** Who lets the very first connection in: root, or a user who may sudo without a password. */
  readonly firstUser: string;
  /** Where sshd answers before it is moved to `options.sshPort`. */
  readonly firstPort: number;
  readonly options: HostOptions;
}

/** No output: what a script prints may be of use to somebody who should not have it. */
const silent = { logging: "none", addPreviousOutputInEnv: false } as const;

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
    const connection = {
      host: login.address,
      port: login.port,
      user: login.user,
      hostKey: login.hostKey,
      privateKey: pulumi.secret(args.privateKey),
    };
    const contact = new command.local.Command(
      `${name}-contact`,
      {
        create: contactCommand(login, args.firstUser, args.firstPort),
        stdin: contactScript(options.deployerKey),
        ...silent,
      },
      { parent: this },
    );
    const done = new Map<string, pulumi.Resource>();
    for (const step of hostSteps(options)) {
      const stepOpts = {
        parent: this,
        // A forced replacement would otherwise undo the step after doing it anew.
        deleteBeforeReplace: true,
        dependsOn: [contact, ...step.after.flatMap((needed) => done.get(needed) ?? [])],
      };
      const scripts = { stdin: applyScript(step), ...silent };
      const undo = asRoot(undoScript(step));
      const resource =
        step.proven === true
          ? new command.local.Command(
              `${name}-${step.name}`,
              {
                ...scripts,
                create: provenCommand(step, login, args.firstPort),
                delete: `${sshCommand(login)} ${quote(undo)} </dev/null`,
              },
              stepOpts,
            )
          : new command.remote.Command(
              `${name}-${step.name}`,
              { ...scripts, connection, create: ROOT_SHELL, delete: undo },
              stepOpts,
            );
      done.set(step.name, resource);
    }
    // The deployer itself asks Docker, as the provider will. Its output changes with no step, so a step's change shows no other.
    const ready = new command.remote.Command(
      `${name}-ready`,
      { connection, create: "docker version --format '{{.Server.Os}}'", ...silent },
      { parent: this, dependsOn: [...done.values()] },
    );
    this.ready = ready;
    this.address = ready.stdout.apply(() => login.address);
    this.registerOutputs({ address: this.address });
  }
}
