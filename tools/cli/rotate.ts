import { closest } from "../../components/closest.ts";
import { configCommand } from "../../components/configCommand.ts";
import {
  type CredentialName,
  credentialNames,
  credentialSpec,
  isCredentialName,
  isRotated,
  rotationUnit,
  rotationUnits,
} from "../../components/credentials/catalogue.ts";
import { TOKEN_LIFE_HOURS } from "../../components/credentials/fixed.ts";
import { readersOf } from "../../components/credentials/grants.ts";
import { overlapHours, updatesOf } from "../../components/credentials/overlap.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, DIFFERS, STACK, USAGE, YES } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { raiseGenerations, rollOut, rotationConfig, unfinished } from "../lib/rollover.ts";
import { dueUnits } from "../lib/rotation.ts";
import { update } from "../lib/update.ts";
import { openWorkspace, stackExists } from "../lib/workspace.ts";

/** Who is replaced when a unit rotates. */
function readers(unit: string): string[] {
  const names = credentialNames.filter((name: CredentialName) => isRotated(name) && rotationUnit(name) === unit);
  return [...new Set(names.flatMap(readersOf))].sort();
}

function fault(name: string, stack: string): string {
  if (isCredentialName(name) && credentialSpec(name).kind === "supplied")
    return `"${name}" is yours to make: get a new one from its issuer, then: ${configCommand(stack, `set --secret ${name}`)}`;
  if (isCredentialName(name)) return `"${name}" rotates with its other parts; name ${rotationUnit(name)}`;
  const hint = closest(name, rotationUnits);
  return `"${name}" is no generated credential${hint === undefined ? "" : `; did you mean ${hint}?`}`;
}

function checkedUnits(names: readonly string[], stack: string): string[] {
  const faults = names.filter((name) => !rotationUnits.includes(name)).map((name) => fault(name, stack));
  if (faults.length > 0) throw new UserError(`${faults.join("\n")}\nknown: ${rotationUnits.join(", ")}`, USAGE);
  return [...new Set(names)];
}

export const rotateCommand = command(
  {
    usage: "NAME... | --due | --all",
    about: `Makes new values for generated credentials, by raising their generation in the stack's config, and brings the stack up.
Only the readers of a credential are replaced. It shows which, and asks unless --yes is given or CI is set.
Old and new values are both accepted while the readers are replaced; at the end the old one is refused, and its sessions are ended.
Keys that other programs verify need further updates for that. Only the key of the API's tokens continues to verify the
tokens that it signed, for ${TOKEN_LIFE_HOURS} hours, unless --leaked or --all is given. \`up\` finishes an interrupted rotation.`,
    words: { NAME: `${rotationUnits.slice(0, 4).join(", ")}, ... (a wrong name lists them all)` },
    choices: rotationUnits,
    differs: "something is due and nothing was changed, also with --json",
    positionals: true,
    options: {
      due: { type: "boolean", says: "each credential that is older than its period" },
      all: { type: "boolean", says: "every credential, after an incident; implies --leaked" },
      leaked: {
        type: "boolean",
        says: "the old value has leaked: when the command ends, nothing that it signed or opened is valid",
      },
      stack: STACK,
      yes: YES,
      json: { type: "boolean", says: "only list what would be rotated and why, as JSON" },
    },
    changes: ({ stack, json }) => (json ? undefined : stack),
  },
  async ({ due, all, leaked, stack, yes, json }, names) => {
    if ([due === true, all === true, names.length > 0].filter(Boolean).length !== 1) {
      throw new UserError(`name credentials, or give one of --due and --all`, USAGE);
    }
    const named = checkedUnits(names, stack);
    const atOnce = leaked === true || all === true;
    const workspace = await openWorkspace(stack);
    if (!(await stackExists(workspace))) throw new UserError(`there is no stack ${stack}`);
    const units = all ? rotationUnits : due ? await dueUnits(workspace) : named;
    const plan = units.map((unit) => ({
      credential: unit,
      readers: readers(unit),
      ups: updatesOf(unit),
    }));
    if (json) {
      process.stdout.write(`${JSON.stringify(plan, null, 2)}\n`);
      return plan.length === 0 ? 0 : DIFFERS;
    }
    if (plan.length === 0) {
      say("nothing is due");
      return 0;
    }
    const before = await rotationConfig(workspace);
    const begun = unfinished(before);
    if (begun.length > 0) say(`first, a rotation that was begun is finished: ${begun.join(", ")}`);
    for (const { credential, readers: replaced } of plan) {
      const value = before.pinned.has(credential)
        ? "a generated value in place of the one you supplied"
        : "a new value";
      const hours = atOnce ? undefined : overlapHours(credential);
      const until = hours === undefined ? "" : `; tokens of the old one are accepted for ${hours} more hours`;
      say(`${credential}: ${value}; replaced are ${replaced.join(", ") || "no containers"}${until}`);
    }
    say(`runs of pulumi up: ${Math.max(...plan.map(({ ups }) => ups))}`);
    if (!unasked(yes) && !(await confirm(`Rotate ${plan.length === 1 ? "it" : `these ${plan.length}`} now?`))) {
      say("nothing was changed");
      return due ? DIFFERS : 1;
    }
    const start = Date.now();
    const bringUp = () => update(workspace, true);
    if (begun.length > 0) await rollOut(workspace, bringUp);
    await raiseGenerations(workspace, units, await rotationConfig(workspace), atOnce);
    await rollOut(workspace, bringUp);
    say(`rotated in ${Math.round((Date.now() - start) / 1000)} s: ${units.join(", ")}`);
    return 0;
  },
);
