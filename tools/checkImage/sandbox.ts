import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../lib/log.ts";
import { type RunOptions, type RunResult, run } from "../lib/run.ts";
import { type DockerArgs, dockerArgs } from "./dockerArgs.ts";
import type { Plan } from "./plan.ts";

/** How a container is, as Docker says it. */
export interface ContainerState {
  readonly running: boolean;
  readonly exitCode: number;
  readonly killedForMemory: boolean;
  readonly health: "healthy" | "unhealthy" | "starting" | "none";
}

type StartOptions = Pick<DockerArgs, "free" | "aliases" | "memory">;

const POLL_MS = 500;

const pause = () => new Promise((done) => setTimeout(done, POLL_MS));

/** The containers, network and files of one check, all of which go when it ends, however it ends. */
export class Sandbox {
  /** Also the stack's name that its containers are labelled with. */
  readonly name = `check-${randomBytes(5).toString("hex")}`;
  /** Holds the files that the containers mount. */
  readonly folder = mkdtempSync(join(tmpdir(), `autollm-${this.name}-`));
  readonly #filter = `label=autollm.stack=${this.name}`;
  readonly #inFlight = new Set<Promise<unknown>>();
  #ending: Promise<void> | undefined;

  /** Ends the check at a signal, with the code of a program that it ended. */
  constructor(onSignal: (code: number) => void) {
    const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
    for (const [signal, code] of Object.entries(codes))
      process.on(signal, () => {
        void this.remove().finally(() => onSignal(code));
      });
  }

  /** Runs Docker's client. Nothing is begun once the check is ending. */
  async docker(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    if (this.#ending !== undefined) throw new UserError("the check was interrupted", 130);
    const running = run("docker", args, options);
    this.#inFlight.add(running);
    try {
      return await running;
    } finally {
      this.#inFlight.delete(running);
    }
  }

  async makeNetwork(): Promise<void> {
    await this.docker(["network", "create", "--internal", "--label", `autollm.stack=${this.name}`, this.name]);
  }

  /** Writes the files of a workload by the stack's own scripts, and starts its container. */
  async start(
    plan: Plan,
    workload: string,
    { free = false, aliases = [], memory }: StartOptions = {},
  ): Promise<string> {
    const inputs = plan.containers.get(workload);
    if (inputs === undefined) throw new Error(`the stack has no workload ${workload}`);
    for (const name of [`${workload}-files`, `${workload}-live-files`]) {
      const script = plan.scripts.get(name);
      if (script !== undefined) await run("sh", ["-c", script.create], { input: script.stdin });
    }
    // What another part would write there is not written during a check; a container may find it empty.
    for (const { type, source } of inputs.mounts ?? [])
      if (type === "bind" && source?.startsWith(`${this.folder}/`)) mkdirSync(source, { recursive: true });
    const limit = /--pids-limit (\d+)/.exec(plan.scripts.get(`${workload}-processes`)?.create ?? "")?.[1];
    const name = `${this.name}-${workload}${free ? "-free" : ""}${memory === undefined ? "" : "-roomy"}`;
    const given = { name, network: this.name, pids: Number(limit ?? 64), aliases, free };
    await this.docker(dockerArgs(inputs, memory === undefined ? given : { ...given, memory }));
    await this.docker(["start", name]);
    return name;
  }

  async state(container: string): Promise<ContainerState> {
    const format = "{{json .State}}";
    const { stdout } = await this.docker(["inspect", "--format", format, container]);
    const state = JSON.parse(stdout) as {
      Running: boolean;
      ExitCode: number;
      OOMKilled: boolean;
      Health?: { Status: ContainerState["health"] };
    };
    return {
      running: state.Running,
      exitCode: state.ExitCode,
      killedForMemory: state.OOMKilled,
      health: state.Health?.Status ?? "none",
    };
  }

  /** Waits until a container is healthy or unhealthy, has ended, or the time is over. */
  async settled(container: string, seconds: number): Promise<{ state: ContainerState; seconds: number }> {
    const begin = Date.now();
    for (;;) {
      const state = await this.state(container);
      const taken = Math.round((Date.now() - begin) / 1000);
      const open = state.running && (state.health === "starting" || state.health === "none");
      if (!open || taken >= seconds) return { state, seconds: taken };
      await pause();
    }
  }

  /** Asks until there is an answer; undefined when the time is over. */
  async eventually<T>(seconds: number, ask: () => Promise<T | undefined>): Promise<T | undefined> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const answer = await ask();
      if (answer !== undefined || Date.now() > end) return answer;
      await pause();
    }
  }

  async lines(container: string): Promise<string[]> {
    const { stdout, stderr } = await this.docker(["logs", container]);
    return `${stdout}${stderr}`.split("\n").filter((line) => line.trim() !== "");
  }

  /** Removes all that the check made. What was begun before it is waited for, so that nothing appears afterwards. */
  remove(): Promise<void> {
    this.#ending ??= this.#remove();
    return this.#ending;
  }

  async #remove(): Promise<void> {
    await Promise.allSettled([...this.#inFlight]);
    const { stdout } = await run("docker", ["ps", "--all", "--quiet", "--filter", this.#filter], {
      allowFailure: true,
    });
    const ids = stdout.split("\n").filter((id) => id !== "");
    if (ids.length > 0) await run("docker", ["rm", "--force", "--volumes", ...ids], { allowFailure: true });
    await run("docker", ["network", "rm", this.name], { allowFailure: true });
    rmSync(this.folder, { recursive: true, force: true });
  }
}
