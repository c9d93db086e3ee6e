import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { commandLine } from "../../components/configCommand.ts";
import { filesDirectory } from "../../components/filesDirectory.ts";
import { loginOf } from "../../components/host/fromSettings.ts";
import { sshCommand } from "../../components/host/login.ts";
import { executors } from "../../components/platform/catalogue.ts";
import { type KillSwitchDetail, killSwitchDirectory, killSwitchText } from "../../components/platform/killSwitch.ts";
import { ConfigError, checkConfig, type Settings } from "../../components/settings.ts";
import { assignments, quote, ROOT_SHELL } from "../../components/shell.ts";
import { workloadUser } from "../../components/uids.ts";
import type { Waiting } from "../../services/backup/src/streamsOrders.ts";
import { Daemon } from "./daemon.ts";
import { canAskHost } from "./keyAgent.ts";
import { moveDirectory } from "./lockPlace.ts";
import { say, UserError } from "./log.ts";
import { run } from "./run.ts";
import { StackFile } from "./stackFile.ts";
import { settingsOf } from "./stackSettings.ts";
import { checkStackName, isShared, localHome, openWorkspace, root } from "./workspace.ts";

const script = readFileSync(new URL("kill-switch.sh", import.meta.url), "utf8");

/** `hold` stops what has started since, where the switch is on. `orders` asks which approved orders wait. */
export type SwitchAction = "on" | "hold" | "off" | "status" | "orders";

/** What the script answered. */
export interface SwitchState {
  readonly on: boolean;
  /** Whether it was on before `on`. */
  readonly kept: boolean;
  /** Who set it, when and why, as JSON; empty where that is not known. */
  readonly detail: string;
  /** Containers of executors that were stopped, or started again. */
  readonly stopped: readonly string[];
  readonly started: readonly string[];
  /** Approved orders that wait, or that were discarded; undefined where nobody answered. */
  readonly orders: readonly Waiting[] | undefined;
  /** What could not be done, a sentence each. */
  readonly faults: readonly string[];
  /** What is to be told besides: the switch does what it should without it. */
  readonly warnings: readonly string[];
}

const FAULTS: Readonly<Record<string, (name: string, stack: string) => string>> = {
  running: (name) => `${name} could not be stopped: stop it on the Docker host, or cut the host off from its network`,
  failed: (name, stack) => `${name} could not be started; docker logs ${name} and ${commandLine(stack, "up")} say why`,
  absent: (name, stack) => `${name} has no container: ${commandLine(stack, "up")} makes one`,
  undiscarded: (_, stack) =>
    `the switch stays on: approved orders wait in NATS and could not be discarded, so the executors would trade them now. NATS and nats-streams must run: docker logs of both, or ${commandLine(stack, "up")}, then off again`,
  unrecorded: () =>
    "what was discarded could not be noted in the switch's directory: the disk may be full; keep this list",
  moved: (_, stack) =>
    `this is the former host of ${stack}: the switch of the host that trades was not touched. Take the present config (git pull), or end the move (${commandLine(stack, "move --to ADDRESS")}), then again`,
  "no-docker": () =>
    "Docker does not answer: as root, the executors' processes were killed; else they still run. What starts from now on waits",
};

const NATS_BEHIND =
  "NATS runs and has not taken its users for this: its log says why (docker logs), and docker restart of its container makes it";

/** Reads the script's answer. */
export function switchState(answer: string, stack: string): SwitchState {
  const lines = answer.split("\n").filter((line) => line !== "");
  const after = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const [orders] = [...after("waiting"), ...after("discarded")];
  const faults = lines.flatMap((line) => {
    const [word = "", name = ""] = line.split(" ");
    return FAULTS[word]?.(name, stack) ?? [];
  });
  return {
    on: lines.includes("on") || lines.includes("kept"),
    kept: lines.includes("kept"),
    detail: lines.find((line) => line.startsWith("{")) ?? "",
    stopped: after("stopped"),
    started: after("started"),
    orders: orders === undefined ? undefined : (JSON.parse(orders) as readonly Waiting[]),
    faults,
    warnings: lines.includes("nats behind") ? [NATS_BEHIND] : [],
  };
}

/** What says where a stack runs, read from its file alone where that has it all: neither the engine nor a secret is needed, and no other fault matters. */
export type Whereabouts = Pick<Settings, "host" | "dockerHost" | "filesDir" | "environment"> & {
  /** Whether it is to trade with real money. */
  readonly live: boolean;
};

/** @throws UserError when the stack has no file, or it does not say where the stack runs */
export async function whereaboutsOf(stack: string): Promise<Whereabouts> {
  checkStackName(stack);
  const path = join(isShared(stack) ? root : localHome(), `Pulumi.${stack}.yaml`);
  if (!existsSync(path)) throw new UserError(`there is no stack ${stack}: ${path} is missing`);
  const file = new StackFile(path);
  // Settings from somewhere else (Pulumi ESC) are known to the engine alone.
  if (file.importsEnvironments()) {
    const settings = await settingsOf(await openWorkspace(stack));
    return { ...settings, live: settings.trading.live };
  }
  const texts = file.texts(["host", "dockerHost", "filesDir", "networkRange"]);
  try {
    const { settings } = checkConfig(texts, new Set(), stack);
    const environment = file.get("environment") ?? settings.environment;
    const { live } = (file.get("trading") ?? {}) as { readonly live?: unknown };
    return { ...settings, environment: environment as Settings["environment"], live: String(live) === "true" };
  } catch (error) {
    throw error instanceof ConfigError ? new UserError(`${path}: ${error.message}`) : error;
  }
}

/** The platform's kill switch of one stack. */
export class PlatformSwitch {
  readonly stack: string;
  /** The daemon that the stack runs on. */
  readonly daemon: Daemon;
  readonly #where: Whereabouts;

  private constructor(stack: string, where: Whereabouts) {
    this.stack = stack;
    this.daemon = Daemon.at(stack, where);
    this.#where = where;
  }

  /**
   * @throws UserError when the stack has no file, or it does not say where the stack runs
   */
  static async of(stack: string): Promise<PlatformSwitch> {
    return new PlatformSwitch(stack, await whereaboutsOf(stack));
  }

  /** Whether this machine has what it takes to ask; previews in CI have no key. */
  get isReachable(): boolean {
    return canAskHost(this.#where);
  }

  /**
   * Runs one action, in one connection.
   * @throws UserError when the machine was not reached, or the switch could not be written
   */
  async run(action: SwitchAction, detail?: KillSwitchDetail): Promise<SwitchState> {
    const { host, dockerHost } = this.#where;
    const variables = {
      ACTION: action,
      DIRECTORY: killSwitchDirectory(filesDirectory(this.#where, this.stack)),
      STACK: this.stack,
      DOCKER: host === undefined ? dockerHost : "unix:///var/run/docker.sock",
      EXECUTORS: executors.join(" "),
      USERS: executors.map((service) => workloadUser(service).split(":")[0]).join(" "),
      MOVED: host === undefined ? "" : `${moveDirectory(this.stack)}/fenced`,
      RECORD: detail === undefined ? "" : action === "on" ? killSwitchText(detail) : JSON.stringify(detail),
    };
    // As a function: what it starts must not read the rest of the script.
    const input = `main() {\n${assignments(variables)}\n${script}\n}\nmain </dev/null\n`;
    const [program, args] =
      host === undefined
        ? (["sh", ["-s"]] as const)
        : (["sh", ["-c", `${sshCommand(loginOf(host))} ${quote(ROOT_SHELL)}`]] as const);
    const { code, stdout, stderr } = await run(program, args, { input, allowFailure: true });
    if (code === 0) return switchState(stdout, this.stack);
    const where = host === undefined ? "this machine" : host.address;
    throw new UserError(
      `the kill switch of ${this.stack} on ${where}: ${stderr.trim().split("\n").at(-1) || `exit code ${code}`}`,
    );
  }
}

/** What a person is told while the switch is on. */
export function switchNotice(stack: string, detail: string): string {
  const why = detail === "" ? "" : ` ${detail}`;
  return `The kill switch is ON: no executor of ${stack} runs.${why}\nOnly this ends it: ${commandLine(stack, "kill-switch off")}`;
}

/** Most of an order's text that a person is shown. */
const SHOWN = 300;

/** What an order says, without the signature around it. */
function orderText(text: string): string {
  try {
    const { payload } = JSON.parse(text) as { readonly payload?: unknown };
    return (typeof payload === "string" ? payload : text).slice(0, SHOWN);
  } catch {
    return text.slice(0, SHOWN);
  }
}

/** What a person is told of approved orders that no executor has confirmed, a line each. */
export function orderLines(waiting: readonly Waiting[]): string[] {
  return waiting.flatMap(({ consumer, isRead, count, orders }) => {
    if (!isRead)
      return [
        `${consumer}: nothing was ever read by it. A program that subscribes by itself has had its ${count} orders`,
      ];
    const rows = orders.map(
      ({ seq, at, delivered, text }) =>
        `  ${seq}  ${at}  ${delivered ? "was handed out, and MAY BE EXECUTED" : "not handed out"}  ${orderText(text)}`,
    );
    const more = count > orders.length ? [`  and ${count - orders.length} more`] : [];
    return [`${consumer}: ${count} approved orders`, ...rows, ...more];
  });
}

/** Says, as the last words of a command, that the switch of a stack is on. A fault is told and fails nothing. */
export async function tellKillSwitch(stack: string): Promise<void> {
  try {
    const platform = await PlatformSwitch.of(stack);
    if (!platform.isReachable) {
      say(`The kill switch of ${stack} was not checked: this machine has no key of its host.`);
      return;
    }
    const { on, detail } = await platform.run("status");
    if (on) say(`\n${switchNotice(stack, detail)}`);
  } catch (error) {
    say(`It is not known whether the kill switch of ${stack} is on: ${error instanceof Error ? error.message : error}`);
  }
}

/** Stops what an update has started while the switch is on. Until then it waits and trades nothing. */
export async function holdKillSwitch(stack: string): Promise<void> {
  const { faults } = await (await PlatformSwitch.of(stack)).run("hold");
  for (const fault of faults) say(fault);
}
