import { spawn } from "node:child_process";
import { existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { apt } from "../../lib/apt.ts";
import { cacheDir } from "../../lib/cache.ts";
import { say, step, UserError } from "../../lib/log.ts";
import { run, which } from "../../lib/run.ts";

export interface DockerInfo {
  /** The daemon's version, such as `26.1.5`. */
  readonly version: string;
  /** The daemon was started by hand by this tool, so `stopDocker` may end it. */
  readonly ours: boolean;
}

export interface EnsureDockerOptions {
  /** Docker may be installed from Debian's packages where it is missing. */
  readonly install: boolean;
}

/** What decides how a missing daemon is brought up; found out by `machine()`, given by hand in tests. */
export interface Machine {
  readonly debian: boolean;
  readonly root: boolean;
  readonly systemd: boolean;
  readonly daemonInstalled: boolean;
  readonly clientInstalled: boolean;
  /** DOCKER_HOST, if it is set: a daemon elsewhere is never ours to install or start. */
  readonly dockerHost: string | undefined;
}

/** The steps that lead to a running daemon, or why this tool cannot take them. */
export type Plan = { readonly install: boolean; readonly start: "systemd" | "by hand" } | { readonly refused: string };

const START_LIMIT_MS = 60_000;
const INSTALL_COMMAND = "apt-get install --yes docker.io iptables";

/** Decides what to do about a daemon that does not answer. */
export function plan(machine: Machine, install: boolean): Plan {
  if (machine.dockerHost !== undefined) {
    return { refused: `no Docker daemon answers at DOCKER_HOST=${machine.dockerHost}: start it, or unset DOCKER_HOST` };
  }
  const start = machine.systemd ? "systemd" : "by hand";
  const complete = machine.daemonInstalled && machine.clientInstalled;
  if (complete && machine.root) return { install: false, start };
  if (complete) {
    return {
      refused: "the Docker daemon does not answer: start it (sudo systemctl start docker), or let this user use it",
    };
  }
  if (!machine.debian) {
    return {
      refused:
        "Docker is missing: install Docker Engine (https://docs.docker.com/engine/install/), start it, and run this again",
    };
  }
  if (!machine.root) return { refused: `Docker is missing: run "sudo ${INSTALL_COMMAND}", then this again` };
  if (!install) return { refused: `Docker is missing: add --install, or run "${INSTALL_COMMAND}", then this again` };
  return { install: true, start };
}

/** Makes sure that a Docker daemon answers: the one that runs, or one that is installed and started here. */
export async function ensureDocker(options: EnsureDockerOptions): Promise<DockerInfo> {
  const running = await daemonVersion();
  if (running !== undefined) return { version: running, ours: ourDaemon() !== undefined };

  const what = plan(await machine(), options.install);
  if ("refused" in what) throw new UserError(what.refused);
  if (what.install) await install();
  // Installing may have started it already.
  if ((await daemonVersion()) === undefined) await (what.start === "systemd" ? startWithSystemd() : startByHand());
  const version = await daemonVersion();
  if (version === undefined) throw new UserError("the Docker daemon was started but does not answer; see its log");
  return { version, ours: ourDaemon() !== undefined };
}

/** Ends the daemon that `ensureDocker` started by hand, and no other. Answers whether there was one. */
export async function stopDocker(): Promise<boolean> {
  const pid = ourDaemon();
  if (pid === undefined) return false;
  await step("stopping the Docker daemon that was started here", "its containers stop first", async () => {
    process.kill(pid, "SIGTERM");
    for (let waited = 0; waited < START_LIMIT_MS && ourDaemon() !== undefined; waited += 200) await sleep(200);
  });
  if (ourDaemon() !== undefined)
    throw new UserError(`the Docker daemon (process ${pid}) has not ended; see ${logFile()}`);
  rmSync(pidFile(), { force: true });
  return true;
}

async function machine(): Promise<Machine> {
  return {
    debian: existsSync("/etc/debian_version") && (await which("apt-get")) !== undefined,
    root: process.getuid?.() === 0,
    systemd: existsSync("/run/systemd/system"),
    daemonInstalled: (await which("dockerd")) !== undefined,
    clientInstalled: (await which("docker")) !== undefined,
    dockerHost: process.env.DOCKER_HOST,
  };
}

async function daemonVersion(): Promise<string | undefined> {
  if ((await which("docker")) === undefined) return undefined;
  const { code, stdout } = await run("docker", ["version", "--format", "{{.Server.Version}}"], { allowFailure: true });
  return code === 0 ? stdout.trim() : undefined;
}

async function install(): Promise<void> {
  say("Docker is missing: installing Debian's docker.io");
  await step("installing Docker", "apt-get, half a minute", async () => {
    await apt(["update"]);
    const packages = ["docker.io", "iptables"];
    // Debian 13 ships the client in a package of its own, Debian 12 within docker.io.
    const separateClient = (await run("apt-cache", ["show", "docker-cli"], { allowFailure: true })).code === 0;
    if (separateClient && (await which("docker")) === undefined) packages.push("docker-cli");
    await apt(["install", "--yes", "--no-install-recommends", ...packages]);
  });
}

async function startWithSystemd(): Promise<void> {
  await step("starting Docker", "systemctl", () => run("systemctl", ["enable", "--now", "docker.service"]));
}

/** Without an init system the daemon is a process of its own, in its own session, so that it outlives this program. */
async function startByHand(): Promise<void> {
  say(`No init system here: starting dockerd by hand, its log is ${logFile()}`);
  // A pid file left by a crash would stop the daemon from starting.
  if (ourDaemon() === undefined) rmSync(pidFile(), { force: true });
  const log = openSync(logFile(), "a");
  const daemon = spawn("dockerd", ["--pidfile", pidFile()], { detached: true, stdio: ["ignore", log, log] });
  let exit: string | undefined;
  daemon.on("error", (error) => {
    exit = error.message;
  });
  daemon.on("exit", (code, signal) => {
    exit = `it ended with ${signal ?? `exit code ${code}`}`;
  });
  daemon.unref();
  await step("waiting for the Docker daemon", "a few seconds", async () => {
    for (let waited = 0; waited < START_LIMIT_MS; waited += 300) {
      if (exit !== undefined) throw new UserError(`dockerd did not start: ${exit}\n${logTail()}`);
      if ((await daemonVersion()) !== undefined) return;
      await sleep(300);
    }
    throw new UserError(`dockerd does not answer after ${START_LIMIT_MS / 1000} s; see ${logFile()}`);
  });
}

/** The process id of the daemon that we started, if it still runs. */
function ourDaemon(): number | undefined {
  if (!existsSync(pidFile())) return undefined;
  const pid = Number(readFileSync(pidFile(), "utf8"));
  const file = `/proc/${pid}/stat`;
  // A pid may have been given to another program since, and one that has ended may wait (Z) for a parent that never asks.
  return existsSync(file) && /^\d+ \(dockerd\) [^ZX]/.test(readFileSync(file, "utf8")) ? pid : undefined;
}

function pidFile(): string {
  return join(cacheDir("docker"), "dockerd.pid");
}

function logFile(): string {
  return join(cacheDir("docker"), "dockerd.log");
}

function logTail(): string {
  return readFileSync(logFile(), "utf8").trim().split("\n").slice(-10).join("\n");
}
