import { subjectsMeet } from "../../../components/platform/subjects.ts";
import type { JetStreamApi, KeptStream } from "./streamsApi.ts";
import { CONSUMER_CONFIG, configOf, PREPARING, settledConfig } from "./streamsConfig.ts";

/** How long a consumer that is taken over delivers nothing; it is gone long before. */
const PAUSE_MS = 10 * 60_000;
/** How long is waited for what readers have in work. */
const IN_WORK_MS = 5000;
const CATCH_UP_MS = 60_000;
const LOOK_EVERY_MS = 100;

const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/** @returns whether it came true in time */
async function eventually(ms: number, true_: () => Promise<boolean>): Promise<boolean> {
  for (const end = Date.now() + ms; ; await sleep(LOOK_EVERY_MS)) {
    if (await true_()) return true;
    if (Date.now() > end) return false;
  }
}

/** Whether a stream holds everything that another one has of its subjects. */
async function hasCaughtUp(api: JetStreamApi, from: string, { name, subjects }: KeptStream, start: number) {
  for (const subject of subjects) {
    const last = await api.message(from, subject);
    if (last === undefined || last.seq < start) continue;
    if (((await api.message(name, subject))?.sourceSeq ?? 0) < last.seq) return false;
  }
  return true;
}

async function catchUp(api: JetStreamApi, from: string, to: KeptStream, start: number): Promise<void> {
  if (!(await eventually(CATCH_UP_MS, () => hasCaughtUp(api, from, to, start))))
    throw new Error(`${to.name} has not taken over everything from ${from} within ${CATCH_UP_MS / 1000} s`);
}

/**
 * The place in a stream of the first message that stood behind a place of the stream from which all were taken over, in their order.
 * What was published here before comes first, and was taken from nowhere.
 */
export async function placeBehind(api: JetStreamApi, { name }: KeptStream, subject: string, floor: number) {
  const { first_seq: first, last_seq: last } = (await api.stream(name))?.state ?? { first_seq: 1, last_seq: 0 };
  let [low, high] = [Math.max(first, 1), last + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = await api.message(name, subject, middle);
    if (found !== undefined && (found.sourceSeq ?? 0) <= floor) low = found.seq + 1;
    else high = middle;
  }
  return low;
}

/** Gives a consumer its place in the new stream; in the former one it delivers nothing more. */
async function moveConsumer(
  api: JetStreamApi,
  from: string,
  to: KeptStream,
  { name, subject }: KeptStream["consumers"][number],
) {
  if ((await api.consumer(to.name, name)) !== undefined || (await api.consumer(from, name)) === undefined) return;
  await api.pauseConsumer(from, name, PAUSE_MS);
  // What is still in work then is delivered again, as after a crash of its reader.
  await eventually(IN_WORK_MS, async () => ((await api.consumer(from, name))?.num_ack_pending ?? 0) === 0);
  const floor = (await api.consumer(from, name))?.ack_floor.stream_seq ?? 0;
  const place = await placeBehind(api, to, subject, floor);
  const start = { deliver_policy: "by_start_sequence", opt_start_seq: place };
  await api.setConsumer(to.name, name, subject, { ...CONSUMER_CONFIG, ...start }, "create");
}

/** Has a stream take over what its consumers have not confirmed yet in another one; answers where that begins. */
async function beginCopy(api: JetStreamApi, from: string, to: KeptStream): Promise<number | undefined> {
  const now = await api.stream(to.name);
  const source = now?.config.sources?.find(({ name }) => name === from);
  if (source !== undefined) return source.opt_start_seq ?? 1;
  const consumers = await Promise.all(to.consumers.map(({ name }) => api.consumer(from, name)));
  const floors = consumers.flatMap((consumer) => consumer?.ack_floor.stream_seq ?? []);
  if (floors.length === 0) return undefined;
  const start = Math.min(...floors) + 1;
  const transforms = to.subjects.map((subject) => ({ src: subject, dest: subject }));
  const sources = [{ name: from, opt_start_seq: start, subject_transforms: transforms }];
  if (now === undefined)
    await api.createStream(to.name, { ...configOf(to), description: PREPARING, subjects: [], sources });
  else await api.updateStream(to.name, { ...now.config, sources });
  return start;
}

/** What follows once the former stream takes none of its subjects any more. */
async function finishCopy(api: JetStreamApi, from: string, to: KeptStream, start: number): Promise<void> {
  await catchUp(api, from, to, start);
  for (const { name } of to.consumers) await api.deleteConsumer(from, name);
  const now = await api.stream(to.name);
  if (now !== undefined) await api.updateStream(to.name, settledConfig(to, now));
}

/**
 * Takes a subject from the stream that kept it before to its own, with what is not confirmed yet and the place of each consumer.
 * Each step looks at what there is, so that it goes on wherever it was interrupted. Between the two updates in its middle, which
 * follow each other at once, NATS accepts nothing on these subjects, and tells each publisher so.
 * @returns what was moved, a sentence each
 */
export async function moveSubjects(api: JetStreamApi, table: readonly KeptStream[]): Promise<string[]> {
  const done: string[] = [];
  for (const { name: from, subjects: own } of table) {
    const now = await api.stream(from);
    const foreign = (now?.config.subjects ?? []).filter((subject) => !own.includes(subject));
    const targets = table.filter(
      ({ name, subjects }) =>
        name !== from && subjects.some((each) => foreign.some((pattern) => subjectsMeet(pattern, each))),
    );
    if (now === undefined || targets.length === 0) continue;
    const copied: [KeptStream, number][] = [];
    for (const to of targets) {
      const start = await beginCopy(api, from, to);
      if (start !== undefined) copied.push([to, start]);
    }
    for (const [to, start] of copied) {
      await catchUp(api, from, to, start);
      for (const consumer of to.consumers) await moveConsumer(api, from, to, consumer);
    }
    await api.updateStream(from, { ...now.config, subjects: own });
    for (const to of targets) {
      const target = await api.stream(to.name);
      if (target === undefined) await api.createStream(to.name, { ...configOf(to), description: PREPARING });
      else await api.updateStream(to.name, { ...target.config, subjects: to.subjects });
    }
    done.push(`${targets.map(({ name }) => name).join(", ")} took over from ${from}`);
  }
  for (const to of table) {
    const now = await api.stream(to.name);
    const source = now?.config.sources?.find(({ name }) => table.some((each) => each.name === name));
    if (now === undefined || source === undefined) continue;
    // It may have been interrupted between the two updates.
    if (now.config.subjects === undefined || now.config.subjects.length === 0)
      await api.updateStream(to.name, { ...now.config, subjects: to.subjects });
    await finishCopy(api, source.name, to, source.opt_start_seq ?? 1);
  }
  return done;
}
