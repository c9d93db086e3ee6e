import { spawn } from "node:child_process";
import { quote } from "../../../components/shell.ts";
import { UserError } from "../log.ts";
import { relay, type Side } from "./side.ts";

/** A volume by its name in the program, with its Docker names on the two hosts. */
export interface VolumePair {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** What a side says of the content of a volume. */
export interface Sum {
  /** A digest over every file's path and content. */
  readonly contents: string;
  /** A digest over the names, owners and modes of all. */
  readonly names: string;
  readonly files: number;
  readonly bytes: number;
  /** Files that could not be read: they were being changed. */
  readonly unread: number;
}

/** Volumes that are copied side by side: each takes a connection to each host. */
const AT_ONCE = 3;

/** rsync's codes for files that changed or went away while it read them: so it is while the old host works. */
const CHANGED = [23, 24];

/**
 * rsync's words for the side that receives. By hand, since the sender's remote shell is only a relay; the letters after `e` are what
 * the sender can do, and the two agree on what both can.
 */
export const receive = (to: string) =>
  `exec rsync --server -lHogDtpre.iLsfxCIvu --delete --numeric-ids --inplace --modify-window=-1 . ${quote(`${to}/`)}`;

export const send = (from: string, relayFile: string) =>
  [
    "exec 8<&0 9>&1",
    `exec rsync -aH --numeric-ids --delete --inplace --modify-window=-1 -e ${quote(`sh ${relayFile}`)} ${quote(`${from}/`)} ${quote("there:.")} </dev/null >/dev/null`,
  ].join("\n");

type Line = readonly [program: string, args: readonly string[]];

/** Runs two programs, each of which reads what the other one says. Answers the exit codes and the last words. */
export async function crossed(one: Line, other: Line) {
  let words = "";
  const children = [one, other].map(([program, args]) => {
    const child = spawn(program, [...args], { stdio: ["pipe", "pipe", "pipe"] });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      words += chunk;
    });
    // A reader that ends early is told by its exit code.
    child.stdin.on("error", () => undefined);
    return child;
  });
  const [a, b] = children as [(typeof children)[0], (typeof children)[0]];
  a.stdout.pipe(b.stdin);
  b.stdout.pipe(a.stdin);
  const codes = await Promise.all(
    children.map(
      (child) =>
        new Promise<number>((resolve, reject) => {
          child.on("error", reject);
          child.on("close", (code) => resolve(code ?? 128));
        }),
    ),
  );
  return { codes, words: words.trim().split("\n").slice(-3).join("; ") };
}

/** Where Docker keeps volumes on a host, by their Docker names. */
async function places(side: Side, volumes: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const lines = (await side.run("places", { VOLUMES: volumes.join(" ") })).trim().split("\n");
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}

/** Does some work on each item, so many at once. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const next = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

/**
 * Makes the new host's volumes what the old host's are, and sends what differs only. The data pass through this machine and are
 * kept nowhere on it.
 * @param isQuiet whether nobody writes: then nothing may change on the way
 */
export async function copyVolumes(pairs: readonly VolumePair[], from: Side, to: Side, isQuiet: boolean): Promise<void> {
  const [sources, targets] = await Promise.all([
    places(
      from,
      pairs.map((pair) => pair.from),
    ),
    places(
      to,
      pairs.map((pair) => pair.to),
    ),
  ]);
  await from.write("relay.sh", relay);
  await each(pairs, async (pair) => {
    const source = sources.get(pair.from);
    const target = targets.get(pair.to);
    if (source === undefined || target === undefined) throw new UserError(`the volume ${pair.name} is missing`);
    const { codes, words } = await crossed(
      from.line(send(source, `${from.directory}/relay.sh`)),
      to.line(receive(target)),
    );
    const failed = codes.some((code) => code !== 0 && (isQuiet || !CHANGED.includes(code)));
    if (failed) throw new UserError(`the copy of the volume ${pair.name} failed (${codes.join(", ")}): ${words}`);
  });
}

/** Reads what `sums` says, by the volumes' Docker names. */
export function readSums(answer: string): ReadonlyMap<string, Sum> {
  const rows = answer.split("\n").filter((line) => line !== "");
  return new Map(
    rows.map((row) => {
      const [volume = "", contents = "", names = "", files, bytes, unread] = row.split(" ");
      return [volume, { contents, names, files: Number(files), bytes: Number(bytes), unread: Number(unread) }];
    }),
  );
}

/** Has both hosts read their volumes; answers what each says, by the volumes' names in the program. */
export async function sumsOf(pairs: readonly VolumePair[], from: Side, to: Side) {
  const [there, here] = await Promise.all([
    from.run("sums", { VOLUMES: pairs.map((pair) => pair.from).join(" ") }),
    to.run("sums", { VOLUMES: pairs.map((pair) => pair.to).join(" ") }),
  ]);
  const [froms, tos] = [readSums(there), readSums(here)];
  return new Map(pairs.map((pair) => [pair.name, [froms.get(pair.from), tos.get(pair.to)] as const]));
}

/** The volumes whose contents are not the same on both hosts, each with how they differ. */
export function differences(sums: Awaited<ReturnType<typeof sumsOf>>): readonly string[] {
  return [...sums].flatMap(([name, [from, to]]) => {
    if (from === undefined || to === undefined) return [`${name} was not read`];
    if (from.unread > 0 || to.unread > 0) return [`${name}: ${from.unread + to.unread} files could not be read`];
    if (from.files !== to.files || from.bytes !== to.bytes)
      return [`${name}: ${from.files} files with ${from.bytes} bytes, and ${to.files} with ${to.bytes}`];
    if (from.contents !== to.contents) return [`${name}: a file has another content`];
    return from.names === to.names ? [] : [`${name}: a file has another owner or mode`];
  });
}
