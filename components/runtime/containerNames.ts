import * as pulumi from "@pulumi/pulumi";
import { quote } from "../shell.ts";
import { shell, type Target } from "./target.ts";
import type { Workload } from "./workload.ts";

/** The metric that maps a container's id to its service. */
export const CONTAINER_INFO = "container_info";
/** The folder that is written, in the hot-reloaded files of the workload that serves them. */
export const NAMES_FOLDER = "containers";

export interface ContainerNamesArgs {
  readonly target: Target;
  /** The workloads whose containers are named. */
  readonly workloads: readonly Workload[];
  /** The directory of hot-reloaded files of the workload that exposes the metric. */
  readonly directory: string;
}

const label = (name: string) => `{{index .Config.Labels "autollm.${name}"}}`;
/** One line of Prometheus's text format, as Docker fills it in. */
const line = `${CONTAINER_INFO}{container_id="{{.Id}}",service="${label("service")}",image="${label("image")}",deploy="${label("deploy")}"} 1`;

/** Reads ids from stdin, one per line, and writes what Docker reports of them; a reader sees the old file or the new one, never a mixture. */
export function namesScript(directory: string, dockerSocket: string): string {
  const folder = `${directory}/${NAMES_FOLDER}`;
  return [
    "set -eu",
    `folder=${quote(folder)}`,
    'mkdir -p "$folder" && chmod 0755 "$folder"',
    'file="$folder/containers.prom"',
    `{ printf '# HELP ${CONTAINER_INFO} Whose container an id is.\\n# TYPE ${CONTAINER_INFO} gauge\\n'`,
    `  xargs docker --host ${quote(dockerSocket)} inspect --format ${quote(line)}; } > "$file.new"`,
    'chmod 0644 "$file.new" && mv "$file.new" "$file"',
  ].join("\n");
}

/**
 * Tells Prometheus which service a container's id belongs to. Control groups know ids alone, and the usual way to their names is Docker's socket,
 * which gives power over the host: so the last step of an `up` writes them into a file that node-exporter serves.
 */
export class ContainerNames extends pulumi.ComponentResource {
  constructor(name: string, args: ContainerNamesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:runtime:ContainerNames", name, {}, opts);
    const { target, workloads, directory } = args;
    const ids = pulumi.all(workloads.map(({ container }) => container.id)).apply((all) => [...all].sort().join("\n"));
    shell(
      name,
      target,
      { create: namesScript(directory, target.dockerSocket), stdin: ids, triggers: [ids] },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
