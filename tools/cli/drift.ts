import { commandLine } from "../../components/configCommand.ts";
import { hostOptions, loginOf } from "../../components/host/fromSettings.ts";
import { readKeyPair } from "../../components/host/keys.ts";
import { sshCommand } from "../../components/host/login.ts";
import { stepOnHost } from "../../components/host/reach.ts";
import { checkScript } from "../../components/host/scripts.ts";
import type { Step } from "../../components/host/step.ts";
import { hostSteps } from "../../components/host/steps/index.ts";
import type { Settings } from "../../components/settings.ts";
import { asRoot, quote } from "../../components/shell.ts";
import { command, DIFFERS, STACK } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { removedByHand } from "../lib/removedByHand.ts";
import { run } from "../lib/run.ts";
import { settingsOf } from "../lib/stackSettings.ts";
import { openWorkspace, type Workspace } from "../lib/workspace.ts";

interface Deviation {
  /** A step of the host, or a resource of the stack. */
  readonly where: string;
  readonly what: string;
}

/** Separates the answers of the steps. */
const MARK = "=== step ";

/** Asks every step's check in one connection. */
async function hostDrift(settings: Settings, steps: readonly Step[]): Promise<Deviation[]> {
  const { host } = settings;
  if (host === undefined) return [];
  const script = steps.map((step) => `echo ${quote(`${MARK}${step.name}`)}\n(\n${checkScript(step)}\n)`).join("\n");
  const ask = `${sshCommand(loginOf(host))} ${quote(asRoot("sh -s"))}`;
  const { code, stdout, stderr } = await run("sh", ["-c", ask], {
    input: `main() {\n${script}\n}\nmain </dev/null\n`,
    allowFailure: true,
  });
  if (code === 255) throw new UserError(`${host.address} cannot be asked: ${stderr.trim().split("\n").at(-1)}`);
  const deviations: Deviation[] = [];
  let where = "";
  for (const line of stdout.split("\n").filter((text) => text !== "")) {
    if (line.startsWith(MARK)) where = `host ${line.slice(MARK.length)}`;
    else deviations.push({ where, what: line });
  }
  return deviations;
}

interface PreviewStep {
  readonly op: string;
  readonly urn: string;
  readonly detailedDiff?: Readonly<Record<string, unknown>> | null;
}

/** Asks Docker what is gone, and the engine what a refresh and an update would do. */
async function stackDrift(workspace: Workspace): Promise<Deviation[]> {
  const removed = await removedByHand(workspace);
  // A refresh fails on a volume that is gone, and on nothing else.
  if (removed.some(({ kind }) => kind === "volume"))
    return removed.map(({ kind, name }) => ({ where: `${kind} ${name}`, what: "removed by hand" }));
  const args = ["preview", "--refresh", "--json", "--stack", workspace.stack];
  const { code, stdout } = await workspace.pulumi(args, { allowFailure: true });
  if (code !== 0) throw new UserError(`pulumi preview failed:\n${stdout.slice(-2000)}`);
  const { steps = [] } = JSON.parse(stdout) as { steps?: PreviewStep[] };
  return steps
    .filter(({ op }) => op !== "same" && op !== "refresh" && op !== "read")
    .map(({ op, urn, detailedDiff }) => {
      const paths = Object.keys(detailedDiff ?? {});
      return {
        where: urn.split("::").slice(2).join(" "),
        what: paths.length === 0 ? op : `${op}: ${paths.join(", ")}`,
      };
    });
}

export const driftCommand = command(
  {
    about: `Compares the host and the containers with what was declared, and changes nothing. \`drift --repair\` repairs the host,
\`./autollm pulumi up --refresh\` the containers.`,
    differs: "something differs",
    options: {
      stack: STACK,
      json: { type: "boolean", says: 'print {"drift": [{"where", "what"}]}' },
      repair: {
        type: "boolean",
        says: "run the differing steps of the host again; containers are left to `./autollm pulumi up --refresh`",
      },
    },
    changes: ({ stack, repair }) => (repair ? stack : undefined),
  },
  async ({ stack, json, repair }) => {
    const workspace = await openWorkspace(stack);
    const settings = await settingsOf(workspace);
    const steps =
      settings.host === undefined ? [] : hostSteps(hostOptions(settings, readKeyPair(settings.host.privateKeyPath)));
    if (repair) {
      if (settings.host === undefined)
        throw new UserError(
          `stack ${stack} has no host; ${commandLine(stack, "pulumi up --refresh")} repairs containers`,
        );
      return await repairHost(settings.host, steps, await hostDrift(settings, steps));
    }
    const drift = [...(await hostDrift(settings, steps)), ...(await stackDrift(workspace))];
    if (json) process.stdout.write(`${JSON.stringify({ drift }, undefined, 2)}\n`);
    else if (drift.length === 0) process.stdout.write("nothing differs from what was declared\n");
    else process.stdout.write(`${drift.map(({ where, what }) => `${where}: ${what}`).join("\n")}\n`);
    return drift.length === 0 ? 0 : DIFFERS;
  },
);

/** Runs the differing steps again, in their order, just as the engine would. */
async function repairHost(
  host: NonNullable<Settings["host"]>,
  steps: readonly Step[],
  drift: readonly Deviation[],
): Promise<number> {
  const names = new Set(drift.map(({ where }) => where.replace(/^host /, "")));
  const login = loginOf(host);
  for (const step of steps.filter(({ name }) => names.has(name))) {
    const script = stepOnHost(step, login, host.firstPort);
    const { code, stderr } = await run("sh", ["-s"], { input: script, allowFailure: true });
    if (code !== 0) throw new UserError(`host ${step.name} could not be repaired: ${stderr.trim().split("\n").at(-1)}`);
    say(`host ${step.name}: repaired`);
  }
  return 0;
}
