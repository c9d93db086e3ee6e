import { userInfo } from "node:os";
import type { KillSwitchDetail } from "../../components/platform/killSwitch.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, DIFFERS, STACK, USAGE, YES } from "../lib/command.ts";
import { type KillSwitchAction, killSwitch } from "../lib/killSwitch.ts";
import { say, UserError } from "../lib/log.ts";
import { orderLines, PlatformSwitch, switchNotice } from "../lib/platformSwitch.ts";

const isAction = (word: string | undefined): word is KillSwitchAction =>
  word === "on" || word === "off" || word === "status";

/**
 * The application's own switch, which is a file of risk-manager.
 * @returns what the file says; undefined where it could not be reached
 */
async function application(
  platform: PlatformSwitch,
  action: KillSwitchAction,
  detail?: KillSwitchDetail,
): Promise<string | undefined> {
  try {
    return await killSwitch(platform.daemon, action, detail);
  } catch {
    return undefined;
  }
}

export const killSwitchCommand = command(
  {
    usage: "on | off | status",
    about: `Stops all order execution, or allows it again. "on" stops the executors, takes their NATS users away and has NATS refuse approved
orders; an executor that is started meanwhile waits. It needs neither the engine nor NATS, waits for no other command and asks
nothing. Restarts, updates, rotations, restores and a reboot leave it on; only "off" releases it. The application is
told as well, by risk-manager's file. "status" lists the approved orders that no executor has confirmed. "off" discards
them, because they were approved at old prices. It needs NATS, and changes nothing without it.`,
    choices: ["on", "off", "status"],
    differs: '"status" finds it set',
    positionals: true,
    options: {
      stack: STACK,
      reason: {
        type: "string",
        default: "not said",
        says: 'why; it is kept with the switch and shown by "status"',
      },
      yes: { ...YES, says: '"off" does not ask (always so when CI is set)' },
      json: { type: "boolean", says: '"status" prints {"on", "detail", "orders", "application"}' },
    },
    changes: "nothing",
  },
  async ({ stack, reason, yes, json }, [action, ...rest]) => {
    if (!isAction(action) || rest.length > 0) throw new UserError(`say on, off or status`, USAGE);
    const platform = await PlatformSwitch.of(stack);
    switch (action) {
      case "status":
        return status();
      case "off":
        return off();
      case "on":
        return on();
    }

    async function status(): Promise<number> {
      const [{ on: isOn, detail }, own] = await Promise.all([platform.run("status"), application(platform, "status")]);
      const { orders } = isOn ? await platform.run("orders") : { orders: undefined };
      const code = isOn || (own ?? "") !== "" ? DIFFERS : 0;
      if (json) {
        const answer = { on: isOn, detail, orders: orders ?? null, application: own ?? null };
        process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
        return code;
      }
      if (isOn) {
        process.stdout.write(`SET: no order is executed\n${detail}\n`);
        if (orders === undefined)
          say("it is not known which approved orders wait: NATS or nats-streams does not answer");
        else if (orders.length > 0) process.stdout.write(`off discards:\n${orderLines(orders).join("\n")}\n`);
      } else if (own !== undefined && own !== "")
        process.stdout.write(`SET by the application: its executors run, and execute no order\n${own}\n`);
      else process.stdout.write("not set: orders are executed\n");
      if (own === undefined) say("the application's own switch could not be read: risk-manager is not there");
      return code;
    }

    async function on(): Promise<number> {
      const detail = { reason, by: userInfo().username, at: new Date().toISOString() };
      // The platform's comes first: the application's may hang.
      const state = await platform.run("on", detail);
      for (const name of state.stopped) say(`stopped ${name}`);
      for (const line of [...state.faults, ...state.warnings]) say(line);
      say(switchNotice(stack, state.kept ? "It was on already." : JSON.stringify(detail)));
      say("Approved orders that no executor has confirmed are discarded then; status lists them.");
      if ((await application(platform, "on", detail)) === undefined)
        say("the application was not told: risk-manager's file could not be written; no executor runs all the same");
      return state.faults.length > 0 ? 1 : 0;
    }

    async function off(): Promise<number> {
      if (!unasked(yes) && !(await confirm(`Allow orders on ${stack} again?`))) {
        say("nothing was changed");
        return 1;
      }
      // The application's comes first: an executor asks it as soon as it runs.
      if ((await application(platform, "off")) === undefined)
        say("the application was not told: risk-manager's file could not be removed");
      const state = await platform.run("off", { reason, by: userInfo().username, at: new Date().toISOString() });
      if ((state.orders ?? []).length > 0)
        say(`discarded, never to be executed:\n${orderLines(state.orders ?? []).join("\n")}`);
      for (const name of state.started) say(`started ${name}`);
      for (const line of [...state.faults, ...state.warnings]) say(line);
      if (!state.on) say("released: orders are executed again");
      return state.faults.length > 0 ? 1 : 0;
    }
  },
);
