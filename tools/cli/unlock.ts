import { confirm } from "../lib/ask.ts";
import { command, STACK, YES } from "../lib/command.ts";
import { lockPlace } from "../lib/lockPlace.ts";
import { say, UserError } from "../lib/log.ts";
import { diedHere, holderOf, tellHolder } from "../lib/stackLock.ts";

export const unlockCommand = command(
  {
    about: `Shows who is changing a stack, and removes the lock of a dead holder. You do not need it if the holder has given no sign of life
for five minutes, or was a process of this machine that has ended: the next change takes over the lock.
The engine has a lock of its own; \`pulumi cancel --stack NAME\` removes it.`,
    options: {
      stack: STACK,
      yes: { ...YES, says: "do not ask; without it and without a terminal the lock stays, also if CI is set" },
    },
    changes: "nothing",
  },
  async ({ stack, yes }) => {
    const place = await lockPlace(stack);
    const holder = await holderOf(place);
    if (holder === undefined) {
      say(`nobody is changing stack ${stack}`);
      return 0;
    }
    say(`stack ${stack} is being changed by ${tellHolder(holder)}`);
    if (yes !== true && !(await confirm("Is that holder dead, and its engine too? The lock is removed."))) {
      say("nothing was changed (--yes does not ask)");
      return 1;
    }
    await place.run("release", { id: holder.id });
    const left = await holderOf(place);
    if (left?.id === holder.id) throw new UserError(`the lock is still there: ${place.where}`);
    say(`the lock is removed${diedHere(holder.record) ? ": its process had ended" : ""}`);
    return 0;
  },
);
