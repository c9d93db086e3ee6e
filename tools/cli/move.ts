import { commandLine } from "../../components/configCommand.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, STACK, USAGE, YES } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { backFrom, type Movable, moveTo, runMove } from "../lib/move/run.ts";
import { wipeFormer } from "../lib/move/wipe.ts";
import { tellKillSwitch } from "../lib/platformSwitch.ts";
import { settingsOf } from "../lib/stackSettings.ts";
import { openWorkspace, stackExists } from "../lib/workspace.ts";

async function movable(stack: string): Promise<Movable> {
  const workspace = await openWorkspace(stack);
  if (!(await stackExists(workspace)))
    throw new UserError(`there is no stack ${stack}; bring it up: ${commandLine(stack, "up")}`);
  const settings = await settingsOf(workspace);
  const { host } = settings;
  if (host === undefined)
    throw new UserError(
      `${stack} has no \`host\`, so this program does not set its machine up and cannot move it: bring another stack up there, and take the data along with ${commandLine(stack, "restore latest --into NAME")}`,
    );
  return { workspace, settings: { ...settings, host } };
}

export const moveCommand = command(
  {
    usage: "--to ADDRESS | --back | --wipe ADDRESS",
    about: `Moves a stack to a new bare Debian 13 host: sets it up, copies the data while the old host works, then stops that one for a
short time, copies the last changes, compares every file and every store, and starts the new one. The old host stays as it is,
stopped, until --wipe.
Interrupted at any point, the same command continues, from any machine; until the old host has ended its service for good it starts
again by itself. --back takes a move back until then.`,
    words: { ADDRESS: "of the new host; with --wipe, of the former one, typed as the confirmation" },
    options: {
      stack: STACK,
      to: { type: "string", value: "ADDRESS", says: "move there, or continue" },
      "host-key": {
        type: "string",
        value: "KEY",
        says: "the new host's public key, such as 'ssh-ed25519 AAAA...', read at its own console",
      },
      user: { type: "string", value: "NAME", says: "who may log in on the new host at first; default as host.user" },
      port: { type: "string", value: "N", says: "where its sshd answers at first; default 22" },
      back: { type: "boolean", says: "take back a move that has not come to the switch" },
      wipe: {
        type: "string",
        value: "ADDRESS",
        says: "remove the stack and its data from its former host, once the move is finished",
      },
      yes: YES,
    },
    changes: ({ stack }) => stack,
  },
  async ({ stack, to, "host-key": hostKey, user, port, back, wipe, yes }) => {
    if ([to, back, wipe].filter((each) => each !== undefined && each !== false).length !== 1)
      throw new UserError("say one of --to ADDRESS, --back and --wipe ADDRESS", USAGE);
    if (port !== undefined && !/^\d{1,5}$/.test(port)) throw new UserError("--port takes a number", USAGE);
    const ask = async (question: string) => {
      if (unasked(yes) || (await confirm(question))) return true;
      say("nothing was changed (--yes does not ask)");
      return false;
    };
    const stage = await movable(stack);
    if (wipe !== undefined) return wipeFormer(stage, wipe, ask);
    if (back === true) {
      const { from } = await backFrom(stage);
      say(`the move is taken back: ${from.address} is the host of ${stack}, as before`);
      return 0;
    }
    const place = { address: to ?? "", hostKey, user, port: port === undefined ? undefined : Number(port) };
    const move = await moveTo(stage, place);
    const { record } = move;
    say(`${stack} moves from ${record.from.address} to ${record.to.address}.
Clients find it by its name: let its DNS entry expire within a minute by now, and change it, or the floating IP, when this command
says that the new host is started. The certificates come along.`);
    if (!(await ask(`Move ${stack} to ${record.to.address} now? It stops for about a minute.`))) return 1;
    await runMove(move);
    say(`
${record.to.address} serves ${stack}. Now:
  point its name (or the floating IP) to ${record.to.address}
  commit Pulumi.${stack}.yaml, which names the new host
  make another recovery kit: ${commandLine(stack, "recovery-kit FOLDER")}
  once all is well, remove the data from the old host: ${commandLine(stack, `move --wipe ${record.from.address}`)}`);
    await tellKillSwitch(stack);
    return 0;
  },
);
