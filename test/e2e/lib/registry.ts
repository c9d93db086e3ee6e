import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDir } from "../../../tools/lib/cache.ts";
import { run } from "../../../tools/lib/run.ts";
import { eventually } from "./http.ts";
import { docker, freePort } from "./stack.ts";

/** An image registry on the loopback, which Docker takes without TLS. */
export interface Registry {
  /** Makes an image that differs from another by a label only, pushes it, and answers `repository@sha256:…`. */
  push(base: string, repository: string, version: string): Promise<string>;
  stop(): Promise<void>;
}

/** Debian's registry, unpacked into the cache: it is not installed. */
async function registryProgram(): Promise<string> {
  const folder = cacheDir("tools", "docker-registry");
  const program = join(folder, "usr", "bin", "docker-registry");
  if (existsSync(program)) return program;
  await run("apt-get", ["-qq", "update"], { allowFailure: true });
  await run("apt-get", ["-qq", "download", "docker-registry"], { cwd: folder });
  await run("sh", ["-c", "dpkg-deb --extract docker-registry_*.deb . && rm docker-registry_*.deb"], { cwd: folder });
  return program;
}

export async function startRegistry(): Promise<Registry> {
  const program = await registryProgram();
  const folder = mkdtempSync(join(tmpdir(), "autollm-registry-"));
  mkdirSync(join(folder, "data"));
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(folder, "config.json");
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: join(folder, "data") } },
      http: { addr: address },
    }),
  );
  const server: ChildProcess = spawn(program, ["serve", config], { stdio: "ignore" });
  await eventually("the registry", 20, async () => ((await fetch(`http://${address}/v2/`)).ok ? true : undefined));
  return {
    async push(base, repository, version) {
      const tag = `${address}/${repository}:${version}`;
      const file = `FROM ${base}\nLABEL org.opencontainers.image.version=${version}\n`;
      await run("docker", ["build", "--quiet", "--tag", tag, "-"], { input: file, env: { DOCKER_BUILDKIT: "0" } });
      await docker("push", "--quiet", tag);
      const digests = await docker("inspect", "--format", '{{join .RepoDigests " "}}', tag);
      const pinned = digests.split(" ").find((each) => each.startsWith(`${address}/${repository}@`));
      if (pinned === undefined) throw new Error(`the registry gave ${tag} no digest`);
      return pinned;
    },
    async stop() {
      server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
