import * as pulumi from "@pulumi/pulumi";
import { encodeFiles, keyedDigest } from "../runtime/files.ts";
import type { PartArgs } from "../runtime/part.ts";
import { shell } from "../runtime/target.ts";
import { quote } from "../shell.ts";
import { workloadUser } from "../uids.ts";

/** Where Grafana has its database. */
const DATABASE = "/var/lib/grafana/grafana.db";

interface DatabaseArgs extends PartArgs {
  readonly volume: pulumi.Input<string>;
}

/** The arguments of a program of the backup's image, after the database's path. */
type Words = readonly string[];

/** A fingerprint of each of Grafana's credentials that exposes nothing of it. */
function marks({ credentials }: PartArgs) {
  const mark = (name: "grafana-admin" | "grafana-secret") =>
    pulumi.unsecret(
      pulumi
        .all([credentials.digestKey, credentials.require("grafana", name)])
        .apply(([key, value]) => keyedDigest(key, value)),
    );
  return { "password-mark": mark("grafana-admin"), "secret-key-mark": mark("grafana-secret") };
}

/**
 * Runs a program of the backup's image on Grafana's database, as Grafana's user: Grafana's own image has no SQLite client.
 * The program looks by itself whether there is anything to do, so it may run again for any reason.
 */
function onDatabase(
  name: string,
  [program = "", ...words]: Words,
  args: DatabaseArgs,
  opts: pulumi.CustomResourceOptions,
) {
  const { target } = args;
  const confined =
    "--rm --interactive --network none --read-only --cap-drop ALL --security-opt no-new-privileges:true --memory 128m --pids-limit 64";
  const docker = `docker --host ${quote(target.dockerSocket)} run ${confined} --user ${workloadUser("grafana")}`;
  return (stdin: pulumi.Input<string>, more: pulumi.CustomResourceOptions = {}) =>
    shell(
      name,
      target,
      {
        create: pulumi.interpolate`${docker} --volume ${args.volume}:/var/lib/grafana --entrypoint node ${args.images.get("backup").id} /app/backup.mjs ${[program, DATABASE, ...words].map(quote).join(" ")}`,
        stdin,
        triggers: [],
      },
      pulumi.mergeOptions(opts, more),
    );
}

/**
 * Before Grafana starts: encrypts its stored secrets with the current secret key, and gives the provisioned data sources their
 * names (`uid=name`). Returns the resource that the start waits for.
 */
export function grafanaKey(args: DatabaseArgs, sources: Words, parent: pulumi.Resource): pulumi.Resource {
  const files = {
    "grafana-secret": args.credentials.require("grafana", "grafana-secret"),
    "secret-key-mark": marks(args)["secret-key-mark"],
  };
  return onDatabase("grafana-key", ["grafana-key", ...sources], args, { parent })(
    pulumi.secret(pulumi.output(files).apply(encodeFiles)),
    { additionalSecretOutputs: ["stdin"] },
  );
}

/** Once Grafana runs with a new administrator's password: ends what was opened under the previous one. */
export function grafanaEviction(args: DatabaseArgs, parent: pulumi.Resource, running: pulumi.Resource): void {
  onDatabase("grafana-eviction", ["grafana-evict"], args, { parent, dependsOn: running })(
    pulumi.output(marks(args)).apply(encodeFiles),
  );
}
