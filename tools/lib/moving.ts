import { commandLine } from "../../components/configCommand.ts";

/** A move of a stack that has begun, as the machine of its lock tells it. */
export interface Moving {
  /** Whether the stack serves on the other host by now. */
  readonly isDone: boolean;
  /** The host that it moves to. */
  readonly address: string;
}

/** Reads the line that stack-lock.sh and status.sh say of a move; undefined where there is none. */
export function movingIn(answer: string): Moving | undefined {
  const [, word, address] = /^(moving|moved) (\S+)$/m.exec(answer) ?? [];
  return address === undefined ? undefined : { isDone: word === "moved", address };
}

/** What a person is told of it, and what to type. */
export function moveNotice(stack: string, { isDone, address }: Moving): string {
  const on = commandLine(stack, `move --to ${address}`);
  return isDone
    ? `stack ${stack} is on ${address} by now, and this clone's config names its former host: git pull; or, in the clone that moved it: ${on}`
    : `stack ${stack} is being moved to ${address}: end that first (${on}), or take it back (${commandLine(stack, "move --back")})`;
}
