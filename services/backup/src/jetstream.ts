import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ConnectionOptions, connect, type NatsConnection } from "@nats-io/transport-node";
import type { ArchiveWriter } from "./archive.ts";
import { JETSTREAM_DIR } from "./manifest.ts";
import { requireSecret } from "./settings.ts";
import { within } from "./within.ts";

/** A stream as it was saved; its consumers' positions are in the snapshot too. */
export interface StreamInfo {
  readonly name: string;
  readonly messages: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly consumers: number;
}

interface State {
  readonly messages: number;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly consumer_count: number;
}

/** What the server says of a stream when it begins a snapshot; a restore hands it back. */
interface Saved {
  readonly config: { readonly name: string };
  readonly state: State;
}

const API = "$JS.API";
const TIMEOUT_MS = 30_000;
/** Silence after which a snapshot is given up. */
const SILENCE_MS = 60_000;
/** The client's own limits do not hold where a server breaks off at the wrong moment: seen on a machine under heavy load. */
const LIMIT_MS = 2 * TIMEOUT_MS;
const CHUNK_BYTES = 128 * 1024;
const USER = "backup";
export const INBOX = `_INBOX_${USER}`;

/** Connects as the user that may take snapshots and nothing else. */
export function connectToNats(): Promise<NatsConnection> {
  const connection = connect({
    servers: "nats:4222",
    user: USER,
    pass: requireSecret("nats-backup"),
    inboxPrefix: INBOX,
    tls: { ca: requireSecret("nats-ca") },
    maxReconnectAttempts: 0,
    timeout: TIMEOUT_MS,
  } satisfies ConnectionOptions);
  return within(LIMIT_MS, "the connection to NATS", connection);
}

/** Ends a connection, also one whose server is silent. */
export const disconnect = (nats: NatsConnection) =>
  within(LIMIT_MS, "the end of the connection to NATS", nats.close()).catch(() => undefined);

/** One request to JetStream's API. @throws with the server's own words */
async function ask<T>(nats: NatsConnection, subject: string, body: unknown): Promise<T> {
  const answer = await nats.request(subject, JSON.stringify(body), { timeout: TIMEOUT_MS });
  const value = answer.json<T & { error?: { description: string } }>();
  if (value.error !== undefined) throw new Error(`NATS refuses ${subject}: ${value.error.description}`);
  return value;
}

const infoOf = (name: string, state: State): StreamInfo => ({
  name,
  messages: state.messages,
  firstSequence: state.first_seq,
  lastSequence: state.last_seq,
  consumers: state.consumer_count,
});

/** The names of a server's streams. */
export async function streamNames(nats: NatsConnection): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const page = await ask<{ total: number; streams: string[] | null }>(nats, `${API}.STREAM.NAMES`, {
      offset: names.length,
    });
    names.push(...(page.streams ?? []));
    if (names.length >= page.total || page.streams === null) return names;
  }
}

/** The server's own snapshot of one stream: of one moment, checked by the server, with the consumers' positions. */
async function saveStream(nats: NatsConnection, name: string, archive: ArchiveWriter): Promise<StreamInfo> {
  const deliver = `${INBOX}.snapshot.${name}`;
  const chunks = nats.subscribe(deliver, { timeout: SILENCE_MS });
  const { config, state } = await ask<Saved>(nats, `${API}.STREAM.SNAPSHOT.${name}`, {
    deliver_subject: deliver,
    no_consumers: false,
    jsck: true,
    chunk_size: CHUNK_BYTES,
  });
  let bytes = 0;
  const content = (async function* () {
    for await (const chunk of chunks) {
      // An empty message is the end; a status of an error is one that failed.
      if (chunk.data.length === 0) {
        const status = chunk.headers?.code ?? 0;
        if (status >= 300)
          throw new Error(`NATS gave up the snapshot of ${name}: ${status} ${chunk.headers?.description}`);
        return;
      }
      bytes += chunk.data.length;
      yield chunk.data;
      if (chunk.reply !== undefined && chunk.reply !== "") nats.publish(chunk.reply);
    }
  })();
  await archive.stream(`${JETSTREAM_DIR}/${name}.snapshot`, content);
  chunks.unsubscribe();
  if (bytes === 0) throw new Error(`NATS sent no snapshot of ${name}`);
  await archive.text(`${JETSTREAM_DIR}/${name}.json`, `${JSON.stringify({ config, state } satisfies Saved)}\n`);
  return infoOf(name, state);
}

/** Saves every stream into an archive. */
export async function saveStreams(nats: NatsConnection, archive: ArchiveWriter): Promise<StreamInfo[]> {
  const saved: StreamInfo[] = [];
  for (const name of await streamNames(nats)) saved.push(await saveStream(nats, name, archive));
  return saved;
}

/** Puts a stream back, on a server that has none of this name. */
export async function restoreStream(nats: NatsConnection, directory: string, name: string): Promise<StreamInfo> {
  const saved = JSON.parse(await readFile(join(directory, `${name}.json`), "utf8")) as Saved;
  const { deliver_subject: deliver } = await ask<{ deliver_subject: string }>(
    nats,
    `${API}.STREAM.RESTORE.${name}`,
    saved,
  );
  for await (const chunk of createReadStream(join(directory, `${name}.snapshot`), { highWaterMark: CHUNK_BYTES }))
    await nats.request(deliver, chunk as Uint8Array, { timeout: TIMEOUT_MS });
  const end = await nats.request(deliver, undefined, { timeout: TIMEOUT_MS });
  const { error, state } = end.json<{ error?: { description: string }; state: State }>();
  if (error !== undefined) throw new Error(`NATS refuses the stream ${name}: ${error.description}`);
  return infoOf(name, state);
}
