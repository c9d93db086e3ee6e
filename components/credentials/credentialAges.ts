import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { AGES, type CredentialAgesArgs, generationLines } from "./ages.ts";

/** Answers each line with the time in seconds since 1970 at which its generation was first seen. */
export const agesScript = [
  'awk -v now="$(date +%s)" \'',
  'BEGIN { lines = split(ENVIRON["PULUMI_COMMAND_STDOUT"], line, "\\n")',
  '  for (i = 1; i <= lines; i++) { split(line[i], part, " "); known[part[1] " " part[2]] = part[4] } }',
  '{ key = $1 " " $2; print $0, (key in known) ? known[key] : now }',
  "'",
].join("\n");

/** Since when each generated credential has its current value. The engine keeps it in the state, like the values themselves. */
export class CredentialAges extends pulumi.ComponentResource {
  /** One line per unit: its name, its generation, its period in days, and since when it is in force, in seconds since 1970. */
  readonly lines: pulumi.Output<string>;

  constructor(name: string, args: CredentialAgesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:credentials:CredentialAges", name, {}, opts);
    const { stdout } = new command.local.Command(
      AGES,
      { create: agesScript, stdin: generationLines(args), logging: "none" },
      { parent: this },
    );
    this.lines = stdout;
    this.registerOutputs({});
  }
}
