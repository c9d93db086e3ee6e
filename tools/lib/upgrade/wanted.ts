import { LOCAL_PREFIX, partReference } from "../../../components/runtime/imageReferences.ts";
import type { Settings } from "../../../components/settings.ts";
import { Daemon } from "../daemon.ts";
import { UserError } from "../log.ts";

/** An image of Postgres that the stack's daemon has. */
export interface PostgresImage {
  readonly reference: string;
  readonly id: string;
  readonly major: number;
}

/** Brings an image to the daemon: from its registry or, if it was built on this machine, from here. */
async function bring(daemon: Daemon, settings: Settings, reference: string): Promise<string> {
  const inspect = ["image", "inspect", "--format", "{{.Id}}", reference];
  const there = await daemon.run(inspect, { allowFailure: true });
  if (there.code === 0) return there.stdout.trim();
  if (reference.startsWith(LOCAL_PREFIX) && settings.host !== undefined)
    await Daemon.at(daemon.stack, { ...settings, host: undefined }).pipe(["save", reference], daemon, [
      "load",
      "--quiet",
    ]);
  else {
    const { code, stderr } = await daemon.run(["pull", "--quiet", reference], { allowFailure: true });
    if (code !== 0) throw new UserError(`${reference} was not pulled: ${stderr.trim()}. Nothing was changed.`);
  }
  return daemon.ask(...inspect);
}

/** The major version of `postgres --version`. */
export function majorOf(said: string): number {
  const [, major] = /^postgres \(PostgreSQL\) (\d+)/.exec(said) ?? [];
  if (major === undefined) throw new UserError(`the image does not say which Postgres it has: ${said}`);
  return Number(major);
}

/** An image, once the daemon has it. */
async function imageOf(daemon: Daemon, settings: Settings, reference: string, user: string): Promise<PostgresImage> {
  const id = await bring(daemon, settings, reference);
  const confined = ["--network", "none", "--read-only", "--user", user, "--cap-drop", "ALL"];
  const options = ["run", "--rm", ...confined, "--security-opt", "no-new-privileges:true"];
  return { reference, id, major: majorOf(await daemon.ask(...options, "--entrypoint", "postgres", id, "--version")) };
}

/**
 * The image of Postgres that a stack is to have: the newer of this checkout's and the one that is held, which may be the one that an
 * earlier upgrade went back to.
 */
export async function wantedImage(daemon: Daemon, settings: Settings, user: string): Promise<PostgresImage> {
  const own = await imageOf(daemon, settings, partReference("postgres", { ...settings, heldImages: {} }), user);
  const { postgres: reference } = settings.heldImages;
  if (reference === undefined) return own;
  const held = await imageOf(daemon, settings, reference, user);
  return held.major >= own.major ? held : own;
}
