import { setTimeout as sleep } from "node:timers/promises";
import type { Daemon } from "../daemon.ts";
import { UserError } from "../log.ts";
import { momentary } from "../restore/volumes.ts";

/** Marks the containers of an upgrade: what an interrupted one has left is found by it. */
const LABEL = "autollm.upgrade";
/** A cluster that was shut down starts within seconds; on a slow disk the roles take longer. */
const READY_WITHIN_S = 600;
/** Seconds until a server that is told to end is killed. */
const STOP_S = 60;

/** A Postgres of its own in a confined container, for as long as an upgrade needs it. */
export class UpgradeServer {
  readonly daemon: Daemon;
  readonly name: string;

  private constructor(daemon: Daemon, name: string) {
    this.daemon = daemon;
    this.name = name;
  }

  /**
   * Starts it and waits until it takes connections.
   * @param options Docker's, without `--rm`: what it said is read when it has ended
   * @param command image, and what follows it
   * @param host where it is asked whether it is ready
   * @throws UserError with its last words when it ends before that
   */
  static async start(
    daemon: Daemon,
    options: readonly string[],
    command: readonly string[],
    host: string,
  ): Promise<UpgradeServer> {
    const server = new UpgradeServer(daemon, momentary("upgrade-postgres"));
    const limits = ["--memory", "1g", "--pids-limit", "256", "--init", "--detach"];
    const own = ["--name", server.name, "--label", `${LABEL}=${daemon.stack}`];
    await daemon.ask(...options, ...limits, ...own, ...command);
    try {
      await server.#ready(host);
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  async #ready(host: string): Promise<void> {
    const asked = ["exec", this.name, "pg_isready", "--quiet", `--host=${host}`];
    for (let waited = 0; waited < READY_WITHIN_S; waited++) {
      if ((await this.daemon.run(asked, { allowFailure: true })).code === 0) return;
      if ((await this.daemon.ask("inspect", "--format", "{{.State.Running}}", this.name)) !== "true") break;
      await sleep(1000);
    }
    const { stdout, stderr } = await this.daemon.run(["logs", "--tail", "5", this.name], { allowFailure: true });
    throw new UserError(`the new Postgres does not start: ${`${stdout}${stderr}`.trim().replaceAll("\n", "; ")}`);
  }

  /** Ends it, with all that it has written on the disk. */
  async stop(): Promise<void> {
    // SIGINT: Postgres ends sessions that are left, and shuts down in order.
    await this.daemon.ask("kill", "--signal", "SIGINT", this.name);
    const waited = this.daemon.ask("wait", this.name);
    const code = await Promise.race([waited, sleep(STOP_S * 1000).then(() => "none")]);
    if (code !== "0") throw new UserError(`the new Postgres did not shut down in order: exit code ${code}`);
  }

  async remove(): Promise<void> {
    await this.daemon.run(["rm", "--force", "--volumes", this.name], { allowFailure: true });
  }

  /** Removes what an interrupted upgrade has left running. */
  static async removeLeft(daemon: Daemon): Promise<void> {
    const left = await daemon.ask("ps", "--all", "--quiet", "--filter", `label=${LABEL}=${daemon.stack}`);
    if (left !== "") await daemon.ask("rm", "--force", "--volumes", ...left.split("\n"));
  }
}
