import type { Writable } from "node:stream";
import { images } from "../../../components/images.ts";
import { streams } from "../../../components/platform/streams.ts";
import { ArchiveWriter } from "../../../services/backup/src/archive.ts";
import type { StreamInfo } from "../../../services/backup/src/jetstream.ts";
import { OLD_STREAMS } from "../../../services/backup/src/manifest.ts";
import type { LeftStream } from "../../../services/backup/src/oldStreams.ts";
import { readArchive } from "../../../services/backup/src/readArchive.ts";
import type { Daemon } from "../daemon.ts";
import { type Content, textFrom, written } from "../flow.ts";
import { UserError } from "../log.ts";
import { ASIDE, helper, helperImage, type Volume, volumeOf } from "../restore/volumes.ts";
import { dockerWords, type OldHost } from "./host.ts";
import type { OldContainer } from "./project.ts";

/** Where JetStream keeps streams: below the folder of an account, whatever that is called. */
const STREAM_FILE = /(?:^|\/)jetstream\/([^/]+)\/streams\/([^/]+)\/(.+)$/;
/** The account of a server without users. */
const ACCOUNT = "$G";
/** Where a server without a configuration keeps them. */
const DEFAULT_STORE = "/tmp/nats";

/** The streams that lie in an old NATS server's files. */
export interface OldStreams {
  /** Bytes by the stream's name. */
  readonly bytes: Readonly<Record<string, number>>;
  readonly accounts: readonly string[];
}

interface Mount {
  readonly Destination: string;
}

/** The folders of the container in which the server may keep its streams. */
async function storePlaces(host: OldHost, { id }: OldContainer): Promise<string[]> {
  const { stdout } = await host.run(dockerWords("inspect", "--format", "{{json .Mounts}}", id));
  const places = (JSON.parse(stdout) as readonly Mount[]).map(({ Destination }) => Destination);
  return [...new Set([...places, DEFAULT_STORE])];
}

/** Every file of the old streams, as it comes, by its path below the account. */
async function* streamFiles(host: OldHost, container: OldContainer) {
  for (const place of await storePlaces(host, container)) {
    const copy = dockerWords("cp", `${container.id}:${place}`, "-");
    // A server that keeps its streams elsewhere has no such folder.
    const probe = await host.run(`${copy} | head -c 512 | wc -c`, { allowFailure: true });
    if (Number(probe.stdout) === 0) continue;
    for await (const entry of readArchive(host.read(copy))) {
      const [, account, stream, path] = STREAM_FILE.exec(entry.path) ?? [];
      if (account !== undefined && stream !== undefined && path !== undefined) yield { entry, account, stream, path };
    }
  }
}

export async function oldStreams(host: OldHost, container: OldContainer): Promise<OldStreams> {
  const bytes: Record<string, number> = {};
  const accounts = new Set<string>();
  for await (const { entry, account, stream } of streamFiles(host, container)) {
    accounts.add(account);
    bytes[stream] = (bytes[stream] ?? 0) + (entry.size ?? 0);
  }
  return { bytes, accounts: [...accounts].sort() };
}

/** The files as an archive, as a server without users keeps them. */
function storeArchive(host: OldHost, container: OldContainer): (out: Writable) => Promise<void> {
  return async (out) => {
    const archive = new ArchiveWriter(out);
    const folders = new Set<string>();
    for await (const { entry, stream, path } of streamFiles(host, container)) {
      const below = `jetstream/${ACCOUNT}/streams/${stream}/${path}`;
      if (entry.type === "file")
        await archive.file({ path: below, mode: 0o640, mtime: entry.mtime }, entry.size ?? 0, entry.content);
      else if (entry.type === "directory" && !folders.has(below)) {
        folders.add(below);
        await archive.add({ path: below, type: "directory", mode: 0o750, mtime: entry.mtime });
      }
    }
    await archive.end();
  };
}

/** What was made of the old streams: what moves, as a backup has it, and what stays behind. */
export interface PreparedStreams {
  readonly saved: readonly StreamInfo[];
  readonly left: readonly LeftStream[];
}

/**
 * Copies the old server's files beside the stack's, lets a server of the stack's own version read them, where nobody else reaches
 * it, and hands on what it makes of them, piece by piece.
 */
export async function prepareStreams(
  daemon: Daemon,
  host: OldHost,
  container: OldContainer,
  take: (path: string, content: Content) => Promise<void>,
): Promise<PreparedStreams> {
  const volume = await volumeOf(daemon, await daemon.container("nats"), "/data");
  await copyAside(daemon, volume, storeArchive(host, container));
  // By this name, what a killed run left is found and removed.
  const server = `old-nats-${daemon.stack}`;
  const end = () => daemon.run(["rm", "--force", server], { allowFailure: true });
  await end();
  const table = streams.map(({ consumers, ...stream }) => ({
    ...stream,
    consumers: consumers.map(({ name, subject }) => ({ name, subject })),
  }));
  try {
    await daemon.ask(
      ...[...helper(volume), "--detach", "--name", server, "--entrypoint", images.nats.program, volume.image],
      ...["--jetstream", "--store_dir", `${ASIDE}/new`, "--addr", "127.0.0.1", "--port", "4222"],
    );
    const ask = [
      ...[...helper(volume, { network: `container:${server}`, readOnly: true }), "--interactive"],
      ...["--entrypoint", "node", await helperImage(daemon), "/app/backup.mjs", "old-streams"],
    ];
    let prepared: PreparedStreams | undefined;
    for await (const { path, content } of readArchive(daemon.flow(ask, text(JSON.stringify(table)))))
      if (path === OLD_STREAMS) prepared = JSON.parse(await textFrom(content)) as PreparedStreams;
      else await take(path, content);
    if (prepared === undefined) throw new UserError("the copy of the old streams was not read to its end");
    return prepared;
  } finally {
    await end();
    await removeAside(daemon, volume);
  }
}

async function* text(value: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(value);
}

async function shell(volume: Volume, lines: readonly string[]): Promise<string[]> {
  return [
    ...helper(volume),
    "--interactive",
    "--entrypoint",
    "/bin/sh",
    await helperImage(volume.daemon),
    "-euc",
    lines.join("\n"),
  ];
}

async function copyAside(daemon: Daemon, volume: Volume, write: (out: Writable) => Promise<void>): Promise<void> {
  const lines = [`rm -rf ${ASIDE}`, `mkdir -m 0700 -p ${ASIDE}/new`, `tar --extract --directory ${ASIDE}/new`];
  for await (const _ of daemon.flow(await shell(volume, lines), written(write)));
}

async function removeAside(daemon: Daemon, volume: Volume): Promise<void> {
  await daemon.run(await shell(volume, [`rm -rf ${ASIDE}`]), { input: "", allowFailure: true });
}
