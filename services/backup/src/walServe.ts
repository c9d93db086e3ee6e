import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { endAll, type Kept } from "./exec.ts";
import { listenAt } from "./listen.ts";
import { reason } from "./log.ts";
import { restoreTestDue } from "./schedule.ts";
import { keyMark, requireSecret } from "./settings.ts";
import { Errand, log } from "./walErrand.ts";
import { answerPage, walPage } from "./walPage.ts";
import {
  expired,
  newestBase,
  numberOf,
  ranges,
  SEGMENT_BYTES,
  type Segment,
  type Stored,
  timelineOf,
} from "./walPlan.ts";
import { makeBase, type Position, Replication, receive } from "./walPostgres.ts";
import { Risk } from "./walRisk.ts";
import { noteOpen, readOpen, readWalTest, WAL_PORT, type WalSettings } from "./walSettings.ts";
import {
  emptySpool,
  files,
  REPOSITORY,
  removeStored,
  SPOOL,
  segmentFile,
  send,
  sentFiles,
  spoolOf,
  store,
  stored,
  waiting,
} from "./walStore.ts";
import { makeWalTest } from "./walTest.ts";

const TICK_MS = 5_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FIRST_TEST_MS = 10 * 60_000;
/** Files that are sent at once: what was sent counts when all of them were. */
const BATCH = 50;

/** The end of the newest segment; 0 where there is none. */
function storedEnd(segments: Stored["segments"]): number {
  return segments.reduce((end, { name }) => Math.max(end, (numberOf(name) + 1) * SEGMENT_BYTES), 0);
}

/** Stores Postgres's log as it is written, and a base backup at times. */
class WalArchive {
  readonly #settings: WalSettings;
  readonly #replication = new Replication();
  readonly #risks = { local: new Risk(), second: new Risk() };
  readonly #storing = new Errand("storing WAL");
  readonly #basing = new Errand("the base backup");
  readonly #sending = new Errand("sending to the second place");
  readonly #cleaning = new Errand("removing what is older than is kept");
  readonly #testing = new Errand("the restore to a moment, as a test,", HOUR_MS);
  #receiver: Kept | undefined;
  #position: Position | undefined;
  #switchSeconds = 0;
  #lost = 0;
  /** Whether something of the log may be missing since the last base backup. */
  #gap = false;
  #sent: Set<string> | undefined;
  #cleaned = 0;
  #closed = "Postgres was not asked yet";
  #ready = false;

  constructor(settings: WalSettings) {
    this.#settings = settings;
  }

  /** Why it cannot begin; empty once it has. Whether Postgres answers later is told by its own health and by the metrics. */
  get closed(): string {
    return this.#ready ? "" : this.#closed;
  }

  #cluster({ system }: Position): string {
    return `${system}-${keyMark(requireSecret("backup-key"))}`;
  }

  #own(position: Position): Stored {
    const cluster = this.#cluster(position);
    return stored().find((each) => each.cluster === cluster) ?? { cluster, bases: [], segments: [] };
  }

  async #look(): Promise<void> {
    try {
      this.#position = await this.#replication.position();
      this.#switchSeconds = await this.#replication.switchSeconds();
      await this.#keepReceiving(this.#cluster(this.#position));
      if (this.#closed !== "") log("info", "the log is received");
      this.#closed = "";
      this.#ready = true;
    } catch (error) {
      const why = reason(error);
      if (why !== this.#closed) log("error", "Postgres does not answer", { reason: why });
      this.#closed = why;
    }
  }

  async #keepReceiving(cluster: string): Promise<void> {
    if (this.#receiver !== undefined) return;
    const slot = await this.#replication.slot();
    // A new one begins where the log ends now. Also a cluster that was restored has none, and another timeline.
    if (slot !== "kept") {
      this.#gap = true;
      await emptySpool(cluster);
    }
    if (slot === "lost") {
      this.#lost++;
      log("error", "Postgres removed log that was not received yet: a base backup is made at once");
    }
    const receiver = receive(spoolOf(cluster));
    this.#receiver = receiver;
    void receiver.ended.then((words) => {
      this.#receiver = undefined;
      log("error", "pg_receivewal ended", { reason: words });
    });
  }

  #baseDue({ bases }: Stored, { timeline }: Position): boolean {
    const last = newestBase(bases);
    // Of another timeline: the cluster was restored, and its log goes on from there.
    if (last === undefined || this.#gap || timelineOf(last.start) !== timeline) return true;
    return Date.now() - last.finished > this.#settings.baseHours * HOUR_MS;
  }

  /** Weekly, and on a new stack once there is enough of the log to recover to a moment within it. */
  #testDue(): boolean {
    const range = ranges(stored(), readOpen()).at(-1);
    const enough = range !== undefined && range.to - range.from >= FIRST_TEST_MS;
    return enough && restoreTestDue(new Date(), readWalTest().lastGood);
  }

  #note(position: Position, { cluster, segments }: Stored): void {
    // Another timeline's log has the same numbers.
    const own = segments.filter(({ name }) => timelineOf(name) === position.timeline);
    const end = storedEnd(own);
    const now = Date.now();
    this.#risks.local.note(now, position.bytes, end);
    const sent = this.#sent;
    if (sent !== undefined) {
      const isSent = ({ name }: Segment) => sent.has(`${cluster}/wal/${segmentFile(name)}`);
      // What comes after one that is missing is of no use yet.
      const missing = own.filter((each) => !isSent(each)).map(({ name }) => numberOf(name) * SEGMENT_BYTES);
      const first = missing.reduce((least, bytes) => Math.min(least, bytes), Number.POSITIVE_INFINITY);
      this.#risks.second.note(now, position.bytes, Math.min(storedEnd(own.filter(isSent)), first));
    }
    const { until } = this.#risks.local;
    const last = own.find(({ name }) => (numberOf(name) + 1) * SEGMENT_BYTES === end);
    if (until === undefined || last === undefined) return;
    noteOpen({ cluster, lastSegment: last.name, until });
  }

  async #clean(position: Position): Promise<void> {
    const since = Date.now() - this.#settings.days * DAY_MS;
    for (const each of stored()) {
      const dead = each.cluster !== this.#cluster(position) && each.segments.every(({ at }) => at < since);
      const old = dead
        ? { bases: each.bases.map(({ name }) => name), segments: each.segments.map(({ name }) => name) }
        : expired(each, since);
      await removeStored(each.cluster, "base", old.bases);
      await removeStored(each.cluster, "wal", old.segments.map(segmentFile));
      if (old.bases.length + old.segments.length > 0)
        log("info", "removed what is older than is kept", { bases: old.bases.length, segments: old.segments.length });
    }
    this.#cleaned = Date.now();
  }

  async #send(s3: string): Promise<void> {
    this.#sent ??= await sentFiles(s3);
    const sent = this.#sent;
    const due = [...files().keys()].filter((path) => !sent.has(path));
    const batch = due.slice(0, BATCH);
    if (batch.length === 0) return;
    await send(s3, batch);
    for (const path of batch) sent.add(path);
  }

  async tick(): Promise<void> {
    await this.#look();
    const position = this.#position;
    if (position === undefined) return;
    const here = this.#own(position);
    const due = waiting();
    if (due.length > 0)
      this.#storing.begin(async () => {
        for (const each of due) await store(each);
      });
    if (this.#closed === "" && this.#baseDue(here, position))
      this.#basing.begin(async () => {
        this.#gap = false;
        try {
          log("info", "base backup made", { name: await makeBase(here.cluster) });
        } catch (error) {
          this.#gap = true;
          throw error;
        }
      });
    if (this.#testDue())
      this.#testing.begin(async () => log("info", "restore to a moment tested", await makeWalTest(this.#settings)));
    if (Date.now() - this.#cleaned > HOUR_MS) this.#cleaning.begin(() => this.#clean(position));
    const { s3 } = this.#settings;
    if (s3 !== undefined) this.#sending.begin(() => this.#send(s3));
    if (this.#closed === "") this.#note(position, here);
  }

  /** What Prometheus is told. */
  page(): string {
    const { local, second } = this.#risks;
    const now = Date.now();
    const all = stored();
    const here = files();
    const unsent = [...here].filter(([path]) => this.#sent?.has(path) !== true);
    const sum = (sizes: readonly number[]) => sizes.reduce((total, bytes) => total + bytes, 0);
    const cluster = this.#position === undefined ? undefined : this.#cluster(this.#position);
    return walPage({
      receiving: this.#closed === "" && this.#receiver !== undefined,
      unstoredSeconds: local.seconds(now, this.#switchSeconds),
      waitingBytes: local.bytes,
      ...(this.#settings.s3 === undefined
        ? {}
        : {
            unsentBytes: sum(unsent.map(([, bytes]) => bytes)),
            ...(this.#sent === undefined ? {} : { unsentSeconds: second.seconds(now, this.#switchSeconds) }),
          }),
      base: newestBase(all.find((each) => each.cluster === cluster)?.bases ?? []),
      repositoryBytes: sum([...here.values()]),
      oldest: ranges(all, readOpen())[0]?.from,
      lost: this.#lost,
      test: readWalTest(),
      failures: {
        ...{ store: this.#storing.failures, base: this.#basing.failures },
        ...{ send: this.#sending.failures, clean: this.#cleaning.failures },
      },
    });
  }

  async end(): Promise<void> {
    this.#receiver?.end();
    await this.#replication.close();
    await endAll();
  }
}

/** Keeps the log's archive, and tells Prometheus how it goes. */
export async function serveWal(settings: WalSettings): Promise<void> {
  for (const folder of [SPOOL, REPOSITORY]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const archive = new WalArchive(settings);
  const answering = createServer((request, response) => {
    if (request.url === "/metrics") answerPage(response, () => archive.page());
    else if (request.url === "/health")
      response.writeHead(archive.closed === "" ? 200 : 503).end(archive.closed === "" ? "ok\n" : `${archive.closed}\n`);
    else response.writeHead(404).end();
  });
  void listenAt(answering, WAL_PORT);
  let ending = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => {
      ending = true;
      answering.close();
      void archive.end().finally(() => process.exit(0));
    });
  while (!ending) {
    await archive.tick().catch((error: unknown) => log("error", "a turn failed", { reason: reason(error) }));
    await sleep(TICK_MS);
  }
}
