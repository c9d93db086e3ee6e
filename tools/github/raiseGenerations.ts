import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { rotationUnits } from "../../components/credentials/catalogue.ts";
import { command, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { StackFile } from "../lib/stackFile.ts";
import { root } from "../lib/workspace.ts";

const due = z.array(z.object({ credential: z.enum(rotationUnits) }));

export const raiseGenerationsCommand = command(
  {
    usage: "--stack NAME < due.json",
    about: `Raises the generations of what is due in Pulumi.NAME.yaml, and nothing else: for a rotation that is reviewed before it is deployed.
Reads what \`rotate --due --json\` prints.`,
    options: { stack: { type: "string", value: "NAME", says: "whose file" } },
    changes: "nothing",
  },
  async ({ stack }) => {
    if (stack === undefined || !/^[a-z][a-z0-9-]*$/.test(stack))
      throw new UserError("name the stack: --stack NAME", USAGE);
    const parsed = due.safeParse(JSON.parse(readFileSync(0, "utf8")));
    if (!parsed.success)
      throw new UserError(`standard input is not what rotate --json prints: ${parsed.error.message}`);
    const file = new StackFile(join(root, `Pulumi.${stack}.yaml`));
    const generation = { ...((file.get("generation") as Record<string, number> | undefined) ?? {}) };
    for (const { credential } of parsed.data) generation[credential] = (generation[credential] ?? 1) + 1;
    if (parsed.data.length === 0) {
      say("nothing is due");
      return 0;
    }
    file.set("generation", generation);
    file.save();
    say(`raised in Pulumi.${stack}.yaml: ${parsed.data.map(({ credential }) => credential).join(", ")}`);
    return 0;
  },
);
