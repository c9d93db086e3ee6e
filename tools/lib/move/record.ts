import { z } from "zod";
import { UserError } from "../log.ts";

const place = z.object({
  address: z.string(),
  port: z.int(),
  firstPort: z.int(),
  user: z.string(),
  hostKey: z.string(),
});

/** How a host of the stack is reached. */
export type Place = z.infer<typeof place>;

const schema = z.object({ from: place, to: place, since: z.string() });

/** What both hosts know of a move, so that any operator continues it from any machine. */
export type MoveRecord = z.infer<typeof schema>;

/** @throws UserError when it is no record */
export function readRecord(text: string): MoveRecord {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new UserError("the record of the move cannot be read: another version of this program wrote it");
  }
}

/** What of a host's settings a move changes. */
export function placeOf({ address, port, firstPort, user, hostKey }: Place): Place {
  return { address, port, firstPort, user, hostKey };
}
