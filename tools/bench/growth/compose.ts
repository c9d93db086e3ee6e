import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { stringify } from "yaml";
import { say } from "../../lib/log.ts";
import { run, which } from "../../lib/run.ts";
import { seconds } from "../measure.ts";
import { idle } from "./idle.ts";

/** Debian 12's, version 1.29, hangs for ever with 110 containers. */
const LIMIT_MS = 300_000;

/** `docker compose`, or the `docker-compose` that Debian packs. */
export class Compose {
  readonly #program: readonly string[];

  private constructor(program: readonly string[]) {
    this.#program = program;
  }

  /** The one that is installed, if any. */
  static async find(): Promise<Compose | undefined> {
    const plugin = await run("docker", ["compose", "version"], { allowFailure: true });
    if (plugin.code === 0) return new Compose(["docker", "compose"]);
    return (await which("docker-compose")) === undefined ? undefined : new Compose(["docker-compose"]);
  }

  /** Seconds until all are healthy, and for an `up` that changes nothing; undefined where it does not come to its end. */
  async measure(
    services: number,
    image: string,
    home: string,
  ): Promise<{ first: number; unchanged: number } | undefined> {
    const folder = join(home, "compose");
    mkdirSync(folder);
    const names = Array.from({ length: services }, (_, number) => number);
    for (const number of names)
      writeFileSync(join(folder, `${number}.conf`), idle(number).files["/etc/idle"]["idle.conf"]);
    const entries = names.map((number) => [`idle-${number}`, service(number, image, folder)]);
    const file = join(folder, "docker-compose.yml");
    writeFileSync(
      file,
      stringify({ version: "2.4", services: Object.fromEntries(entries), networks: { apps: { internal: true } } }),
    );
    const [program = "", ...start] = this.#program;
    const options = { limit: LIMIT_MS, allowFailure: true };
    const compose = async (...args: readonly string[]) =>
      (await run(program, [...start, "--file", file, "--project-name", "growth", ...args], options)).code === 0;
    try {
      const up = () => compose("up", "--detach");
      let there = false;
      const first = await seconds(async () => {
        there = await up();
        while (there && (await healthy()) < services) await pause(250);
      });
      if (there) return { first, unchanged: await seconds(up) };
      say(`compose failed, or did not bring ${services} containers up within ${LIMIT_MS / 1000} s`);
      return undefined;
    } finally {
      await compose("down", "--timeout", "1");
    }
  }
}

async function healthy(): Promise<number> {
  const filters = ["--filter", "label=com.docker.compose.project=growth", "--filter", "health=healthy"];
  return (await run("docker", ["ps", "--quiet", ...filters])).stdout.split("\n").filter((line) => line !== "").length;
}

/** What the stack's component gives each workload, said in compose's words. */
function service(number: number, image: string, folder: string) {
  const { command, user, memory, pids, health, environment } = idle(number);
  return {
    image,
    entrypoint: command.slice(0, 1),
    command: command.slice(1),
    user,
    environment,
    networks: ["apps"],
    read_only: true,
    init: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
    mem_limit: `${memory}m`,
    memswap_limit: `${memory}m`,
    pids_limit: pids,
    restart: "unless-stopped",
    volumes: [`${folder}/${number}.conf:/etc/idle/idle.conf:ro`],
    healthcheck: { test: ["CMD", ...health], interval: "5s", timeout: "5s", retries: 12, start_period: "30s" },
    logging: { driver: "json-file", options: { "max-size": "10m", "max-file": "3" } },
  };
}
