import { commandLine } from "../../../components/configCommand.ts";
import { say, UserError } from "../log.ts";
import { FILES, makeMove } from "./context.ts";
import type { Movable } from "./run.ts";
import { Side } from "./side.ts";

/**
 * Removes a stack and its data from its former host.
 * @param address of the former host, as the operator typed it
 * @param ask the last question
 */
export async function wipeFormer(
  { workspace, settings }: Movable,
  address: string,
  ask: (question: string) => Promise<boolean>,
): Promise<number> {
  const { stack } = workspace;
  const { files, record } = await new Side(stack, settings, settings.host).look();
  if (record === undefined || record.to.address !== settings.host.address)
    throw new UserError(`${stack} has no former host: nothing to wipe`);
  if (!files.has(FILES.finished))
    throw new UserError(`the move is not finished: ${commandLine(stack, `move --to ${record.to.address}`)}`);
  if (record.from.address !== address)
    throw new UserError(
      `the former host of ${stack} is ${record.from.address}, and not ${address}: nothing was removed`,
    );
  const { from, to } = makeMove(workspace, settings, record);
  if (!(await from.look()).files.has(FILES.fenced))
    throw new UserError(`${address} is not fenced, so it may serve: nothing was removed`);
  if (!(await ask(`Remove ${stack} and all of its data from ${address}?`))) return 1;
  const removed = (await from.run("wipe")).trim();
  await to.write(FILES.wiped, new Date().toISOString());
  say(`${address}: removed ${removed}. The machine itself stays as it was set up, and closed.`);
  return 0;
}
