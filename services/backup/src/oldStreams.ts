import type { Writable } from "node:stream";
import type { NatsConnection } from "@nats-io/transport-node";
import { ArchiveWriter } from "./archive.ts";
import { saveStreams, streamNames } from "./jetstream.ts";
import { OLD_STREAMS } from "./manifest.ts";
import { JetStreamApi, type KeptStream } from "./streamsApi.ts";
import { CONSUMER_CONFIG, settledConfig } from "./streamsConfig.ts";

/** A stream of the old installation that the stack has no stream for. */
export interface LeftStream {
  readonly name: string;
  readonly messages: number;
}

/**
 * Prepares a copy of an old server's streams, on a server of its own, to be the stack's: a stream with the name of one of the
 * stack's keeps its messages and their numbers, and takes that one's settings; the others are left out. Each of the stack's
 * consumers begins behind the last message, since the old installation has worked on all of them: an intent is not decided twice.
 */
export async function prepareOldStreams(
  nats: NatsConnection,
  table: readonly KeptStream[],
): Promise<readonly LeftStream[]> {
  const api = new JetStreamApi(nats);
  const left: LeftStream[] = [];
  for (const name of await streamNames(nats)) {
    const now = await api.stream(name);
    if (now === undefined) continue;
    const kept = table.find((stream) => stream.name === name);
    for (const consumer of await api.consumerNames(name)) await api.deleteConsumer(name, consumer);
    if (kept === undefined) {
      left.push({ name, messages: now.state.messages });
      await api.deleteStream(name);
      continue;
    }
    await api.updateStream(name, settledConfig(kept, now));
    const start = { deliver_policy: "by_start_sequence", opt_start_seq: now.state.last_seq + 1 };
    for (const { name: consumer, subject } of kept.consumers)
      await api.setConsumer(name, consumer, subject, { ...CONSUMER_CONFIG, ...start }, "create");
  }
  return left;
}

/** Prepares the copy, and writes its streams as a backup has them. */
export async function writeOldStreams(
  nats: NatsConnection,
  table: readonly KeptStream[],
  out: Writable,
): Promise<void> {
  const left = await prepareOldStreams(nats, table);
  const archive = new ArchiveWriter(out);
  const saved = await saveStreams(nats, archive);
  await archive.text(OLD_STREAMS, JSON.stringify({ saved, left }));
  await archive.end();
}
