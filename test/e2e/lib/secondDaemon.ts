import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGoProgram } from "../../../tools/bootstrap/images/goPrograms.ts";
import { apt } from "../../../tools/lib/apt.ts";
import { run, which } from "../../../tools/lib/run.ts";
import { eventually } from "./http.ts";

/** A Docker daemon of the test's own, beside the machine's. */
export interface SecondDaemon {
  /** Its address, as DOCKER_HOST takes it. */
  readonly host: string;
  /** Runs a program where the daemon's published ports are. */
  inside(...line: readonly string[]): Promise<string>;
  /** Copies images from the machine's daemon. */
  load(tags: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** The oldest API that a released Docker 29 answers; a build from the module takes older ones by default. */
const RELEASED_MIN_API = "1.44";

/**
 * Starts Docker 29, built from its module. It has a network namespace of its own, where its ports are published and its packet
 * filter lies, and its data root at the usual place in a mount namespace of its own.
 */
export async function startDocker29(name: string): Promise<SecondDaemon> {
  if ((await which("pkg-config")) === undefined)
    await apt(["install", "--yes", "--no-install-recommends", "libseccomp-dev", "pkg-config"]);
  const programs = [await buildGoProgram("runc"), await buildGoProgram("docker-engine")];
  // Where daemons have their sockets. What an interrupted run left there is not used again.
  const folder = join("/run", `autollm-${name}`);
  rmSync(folder, { recursive: true, force: true });
  const host = `unix://${folder}/docker.sock`;
  const namespace = `autollm-${name}`;
  const enter = ["nsenter", `--net=/run/netns/${namespace}`];
  const data = mkdtempSync(join(tmpdir(), `autollm-${name}-`));
  mkdirSync(join(folder, "exec"), { recursive: true });
  await run("ip", ["netns", "add", namespace]);
  await run("ip", ["-netns", namespace, "link", "set", "lo", "up"]);
  const log = openSync(join(folder, "log"), "a");
  const start =
    'mount --bind "$1" /var/lib/docker && exec dockerd --host "unix://$0/docker.sock" --exec-root "$0/exec" --pidfile "$0/pid"';
  const [program = "", ...args] = [
    ...enter,
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-c",
    start,
    folder,
    data,
  ];
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", log, log],
    env: {
      ...process.env,
      PATH: `${programs.join(":")}:${process.env.PATH ?? ""}`,
      DOCKER_MIN_API_VERSION: RELEASED_MIN_API,
    },
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await run("ip", ["netns", "delete", namespace], { allowFailure: true });
    for (const path of [folder, data]) rmSync(path, { recursive: true, force: true });
  };
  try {
    await eventually("Docker 29 answers, or has ended", 60, async () => {
      if (child.exitCode !== null) return true;
      const { code } = await run("docker", ["--host", host, "version"], { allowFailure: true });
      return code === 0 ? true : undefined;
    });
    if (child.exitCode !== null)
      throw new Error(`Docker 29 ended: ${readFileSync(join(folder, "log"), "utf8").slice(-2000)}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    host,
    inside: async (...line) => {
      const [tool = "", ...words] = [...enter, ...line];
      return (await run(tool, words)).stdout;
    },
    load: async (tags) => {
      await run("sh", ["-c", 'docker save "$@" | docker --host "$0" load', host, ...tags]);
    },
    stop,
  };
}
