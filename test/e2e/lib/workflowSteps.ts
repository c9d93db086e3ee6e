import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { root } from "../../../tools/lib/workspace.ts";

/** A step as a workflow or an action writes it. */
export interface Step {
  readonly name?: string;
  readonly id?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly run?: string;
}

/** A job's or an action's steps, with where they stand. */
export interface StepList {
  /** `WORKFLOW/JOB`, or the path of an action of ours. */
  readonly where: string;
  readonly steps: readonly Step[];
}

interface WorkflowFile {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>;
}

/** All steps of the workflows and of our own actions. */
export function allSteps(): readonly StepList[] {
  const read = (path: string): unknown => parse(readFileSync(join(root, path), "utf8"));
  const files = globSync(".github/workflows/*.yml", { cwd: root }).sort();
  const actions = globSync(".github/actions/*/action.yml", { cwd: root }).sort();
  return [
    ...files.flatMap((path) =>
      Object.entries((read(path) as WorkflowFile).jobs).map(([job, { steps }]) => ({
        where: `${path.replace(/^.*\/|\.yml$/g, "")}/${job}`,
        steps,
      })),
    ),
    ...actions.map((path) => ({
      where: `./${dirname(path)}`,
      steps: (read(path) as { runs: { steps: readonly Step[] } }).runs.steps,
    })),
  ];
}

/** The folder of the stand-ins, OWNER/NAME each. */
const STAND_INS = join(import.meta.dirname, "..", "actions");

/** The actions of others that the workflows use, `OWNER/NAME@COMMIT`, each with the folder of its stand-in. */
export function standIns(): ReadonlyMap<string, string> {
  const uses = allSteps().flatMap(({ steps }) => steps.flatMap(({ uses }) => uses ?? []));
  const others = [...new Set(uses.filter((each) => !each.startsWith("./")))];
  return new Map(others.map((each) => [each, join(STAND_INS, each.replace(/@.*$/, ""))]));
}

/** What a step is called here: its name, else its id, else what it does. */
export const titleOf = ({ name, id, uses, run: script }: Step) => name ?? id ?? uses ?? script ?? "";

/** One step that was run. */
export interface StepRun {
  /** `WORKFLOW/JOB`, or the action of ours that it belongs to. */
  readonly where: string;
  /** Its number there. */
  readonly index: number;
  readonly matrix: Readonly<Record<string, unknown>>;
  readonly ok: boolean;
  readonly output: string;
}

export interface WorkflowRun {
  readonly ok: boolean;
  readonly steps: readonly StepRun[];
  /** The whole log, for a test's message. */
  readonly log: string;
}

interface Line {
  readonly msg: string;
  readonly jobID?: string;
  readonly job?: string;
  readonly matrix?: Readonly<Record<string, unknown>>;
  readonly step?: string;
  readonly stepID?: readonly string[];
  readonly stage?: string;
  readonly stepResult?: string;
  readonly raw_output?: boolean;
}

/** Reads act's log. A step of an action of ours is known by the step that uses it. */
export function readLog(text: string, workflow: string): Pick<WorkflowRun, "steps" | "log"> {
  const lists = new Map(allSteps().map(({ where, steps }) => [where, steps]));
  const outputs = new Map<string, string>();
  const steps: StepRun[] = [];
  const log: string[] = [];
  for (const raw of text.split("\n").filter((each) => each !== "")) {
    const line = parsed(raw);
    log.push(`[${line.job ?? "act"}] ${line.raw_output === true ? "| " : ""}${line.msg.trimEnd()}`);
    const { jobID, stepID, stage, matrix = {} } = line;
    if (jobID === undefined || stepID === undefined || stage !== "Main") continue;
    const key = JSON.stringify([line.job, matrix, stepID]);
    if (line.raw_output === true) outputs.set(key, `${outputs.get(key) ?? ""}${line.msg}`);
    const place = placeOf(lists, `${workflow}/${jobID}`, stepID);
    if (line.stepResult === undefined || line.stepResult === "skipped" || place === undefined) continue;
    steps.push({ ...place, matrix, ok: line.stepResult === "success", output: outputs.get(key) ?? "" });
  }
  return { steps, log: log.join("\n") };
}

function parsed(raw: string): Line {
  try {
    return JSON.parse(raw) as Line;
  } catch {
    return { msg: raw };
  }
}

/** Where a step stands, by its numbers or ids; undefined within an action of others. */
function placeOf(
  lists: ReadonlyMap<string, readonly Step[]>,
  where: string,
  [id = "", ...rest]: readonly string[],
): Pick<StepRun, "where" | "index"> | undefined {
  const steps = lists.get(where) ?? [];
  const index = /^\d+$/.test(id) ? Number(id) : steps.findIndex((step) => step.id === id);
  if (rest.length === 0) return { where, index };
  const uses = steps[index]?.uses ?? "";
  return uses.startsWith("./") ? placeOf(lists, uses, rest) : undefined;
}
