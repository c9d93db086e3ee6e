import {
  type CredentialName,
  credentialNames,
  isRotated,
  rotationUnit,
  rotationUnits,
} from "../../components/credentials/catalogue.ts";
import { readersOf } from "../../components/credentials/grants.ts";
import { closest } from "../../components/settings.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { dueUnits } from "../lib/rotation.ts";
import { update } from "../lib/update.ts";
import { openWorkspace, setConfig } from "../lib/workspace.ts";

const HELP = `usage: npm run rotate -- NAME... | --due | --all [--stack NAME] [--yes] [--json]

Makes new values for generated credentials, by raising their generation in the stack's config, and brings the stack up.
Only the readers of a credential are replaced. It shows which, and asks unless --yes is given or CI is set.

  NAME          ${rotationUnits.slice(0, 4).join(", ")}, ... (a wrong name lists them all)
  --due         whatever is older than its period
  --all         everything, after an incident
  --stack NAME  another stack than "local"
  --json        only list what would be rotated and why, as JSON; exit code 2 when there is anything
  --yes         do not ask`;

/** Who is replaced when a unit rotates. */
function readers(unit: string): string[] {
  const names = credentialNames.filter((name: CredentialName) => isRotated(name) && rotationUnit(name) === unit);
  return [...new Set(names.flatMap(readersOf))].sort();
}

function checkedUnits(names: readonly string[]): string[] {
  const faults = names
    .filter((name) => !rotationUnits.includes(name))
    .map((name) => {
      const hint = closest(name, rotationUnits);
      return `"${name}" is no generated credential${hint === undefined ? "" : `; did you mean ${hint}?`}`;
    });
  if (faults.length > 0) throw new UserError(`${faults.join("\n")}\nknown: ${rotationUnits.join(", ")}`, USAGE);
  return [...new Set(names)];
}

await command(
  {
    help: HELP,
    positionals: true,
    options: {
      due: { type: "boolean" },
      all: { type: "boolean" },
      stack: { type: "string", default: "local" },
      yes: { type: "boolean" },
      json: { type: "boolean" },
    },
  },
  async ({ due, all, stack, yes, json }, names) => {
    if ([due === true, all === true, names.length > 0].filter(Boolean).length !== 1) {
      throw new UserError(`name credentials, or give one of --due and --all\n\n${HELP}`, USAGE);
    }
    const named = checkedUnits(names);
    const workspace = await openWorkspace(stack);
    const units = all ? rotationUnits : due ? await dueUnits(workspace) : named;
    const plan = units.map((unit) => ({ credential: unit, readers: readers(unit) }));
    if (json) {
      process.stdout.write(`${JSON.stringify(plan, null, 2)}\n`);
      return plan.length === 0 ? 0 : 2;
    }
    if (plan.length === 0) {
      say("nothing is due");
      return 0;
    }
    for (const { credential, readers: replaced } of plan)
      say(`${credential}: a new value; replaced are ${replaced.join(", ") || "no containers"}`);
    if (!unasked(yes) && !(await confirm(`Rotate ${plan.length === 1 ? "it" : `these ${plan.length}`} now?`))) {
      say("nothing was changed");
      return 1;
    }
    for (const unit of units) await setConfig(workspace, `generation.${unit}`, String((await generation(unit)) + 1));
    const code = await update(workspace, true);
    if (code !== 0) {
      throw new UserError(
        `the new generation is in the config, but pulumi up failed (exit code ${code}): mend what it says and run: npm run up`,
      );
    }
    say(`rotated: ${units.join(", ")}`);
    return 0;

    async function generation(unit: string): Promise<number> {
      const { code: missing, stdout } = await workspace.pulumi(
        ["config", "get", "--stack", stack, "--path", `autollm:generation.${unit}`],
        {
          allowFailure: true,
        },
      );
      return missing === 0 ? Number(stdout.trim()) : 1;
    }
  },
);
