import { createHmac } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { quote } from "../shell.ts";
import { shell, type Target } from "./target.ts";

/** File contents by path, relative to the directory. */
export type FileTree = Readonly<Record<string, pulumi.Input<string>>>;

export interface FilesArgs {
  readonly target: Target;
  readonly files: FileTree;
  /** Hex key of the hash that names the directory: without it, a digest of a short secret could be guessed. */
  readonly digestKey: pulumi.Input<string>;
}

/** The directory's name carries this many hex digits of the hash of its content: 64 bits. */
const DIGEST_DIGITS = 16;

/** The lines that the write script reads: a path, a space, the content in base64. */
export function encodeFiles(files: Readonly<Record<string, string>>): string {
  return Object.keys(files)
    .sort()
    .map((path) => `${path} ${Buffer.from(files[path] ?? "").toString("base64")}\n`)
    .join("");
}

/** The hash of a directory's content under a secret key. */
export function keyedDigest(keyHex: string, content: string): string {
  return createHmac("sha256", Buffer.from(keyHex, "hex")).update(content).digest("hex").slice(0, DIGEST_DIGITS);
}

/** Lines of a script that write what `encodeFiles` made, from stdin, into `$dir`, which appears complete or not at all. */
export const WRITE_DIRECTORY: readonly string[] = [
  'rm -rf "$dir.new" && mkdir -m 0755 "$dir.new"',
  "umask 022",
  "while read -r path content; do",
  '  mkdir -p "$(dirname "$dir.new/$path")"',
  '  printf %s "$content" | base64 -d > "$dir.new/$path"',
  "done",
  // On disk before it has its name: a power cut would leave empty files under a name that stands for their content.
  'find "$dir.new" -exec sync {} +',
  'mv "$dir.new" "$dir" && sync "$(dirname "$dir")"',
];

/** Writes the lines of `encodeFiles` from stdin into a new directory. */
function writeScript(base: string, directory: string): string {
  return [
    "set -eu",
    `base=${quote(base)} dir=${quote(directory)}`,
    'mkdir -p "$base" && chmod 0700 "$base"',
    // The name stands for the content, and the directory is complete: a running container may have it mounted, so it is left alone.
    '[ ! -d "$dir" ] || exit 0',
    ...WRITE_DIRECTORY,
  ].join("\n");
}

/**
 * A workload's configuration and secret files: a directory on the Docker host that is written once for each content and removed
 * after its last reader. Its parent (mode 0700) decides who may enter, so the files need no owner of their own, and any user
 * inside the one container that mounts them can read them.
 */
export class Files extends pulumi.ComponentResource {
  /** Absolute path on the Docker host. */
  readonly path: pulumi.Output<string>;
  /** Keyed hash of the content; not secret. */
  readonly digest: pulumi.Output<string>;
  /** The resource that a reader depends on. */
  readonly written: pulumi.Resource;

  constructor(name: string, args: FilesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:runtime:Files", name, {}, opts);
    const { target } = args;
    const content = pulumi.output(args.files).apply(encodeFiles);
    this.digest = pulumi.unsecret(pulumi.all([args.digestKey, content]).apply(([key, text]) => keyedDigest(key, text)));
    this.path = pulumi.interpolate`${target.filesDir}/${name}-${this.digest}`;
    this.written = shell(
      name,
      target,
      {
        create: this.path.apply((path) => writeScript(target.filesDir, path)),
        delete: this.path.apply((path) => `rm -rf ${quote(path)} ${quote(`${path}.new`)}`),
        stdin: pulumi.secret(content),
        triggers: [this.digest],
      },
      { parent: this, additionalSecretOutputs: ["stdin"] },
    );
    this.registerOutputs({ path: this.path });
  }
}
