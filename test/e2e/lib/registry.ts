import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hash } from "bcryptjs";
import type { RegistryLogin } from "../../../components/registries.ts";
import { withDockerConfig } from "../../../tools/lib/registryLogins.ts";
import { run } from "../../../tools/lib/run.ts";
import { debianProgram } from "./debian.ts";
import { eventually } from "./http.ts";
import { freePort } from "./stack.ts";
import { startTokenServer } from "./tokenServer.ts";

/** An image registry on the loopback, which Docker takes without TLS. */
export interface Registry {
  readonly address: string;
  /** Makes an image that differs from another by a label only, pushes it, and answers `repository@sha256:…`. */
  push(base: string, repository: string, version: string): Promise<string>;
  /** Pushes an image that the daemon has, under the name `REPOSITORY:TAG`. */
  tag(image: string, name: string): Promise<void>;
  /** From now on it takes this password and no other. */
  setPassword(password: string): Promise<void>;
  stop(): Promise<void>;
}

/** Who may push and pull, and how the registry asks: for name and password at once, or for a token of another server. */
export interface RegistryAccess extends RegistryLogin {
  readonly asks: "basic" | "token";
}

export async function startRegistry(access?: RegistryAccess): Promise<Registry> {
  const program = await debianProgram("docker-registry", "usr/bin/docker-registry");
  const folder = mkdtempSync(join(tmpdir(), "autollm-registry-"));
  const inFolder = (name: string) => join(folder, name);
  mkdirSync(inFolder("data"));
  const address = `127.0.0.1:${await freePort()}`;
  const login = { user: access?.user ?? "", password: access?.password ?? "" };
  const tokens = access?.asks === "token" ? await startTokenServer(() => login, inFolder("authority.pem")) : undefined;
  if (tokens !== undefined) writeFileSync(inFolder("authority.pem"), tokens.authority);
  const setPassword = async (password: string) => {
    login.password = password;
    // It reads the file at each request whose time of change is another.
    writeFileSync(inFolder("htpasswd"), `${login.user}:${await hash(password, 4)}\n`);
  };
  await setPassword(login.password);
  const basic = { htpasswd: { realm: "registry", path: inFolder("htpasswd") } };
  const auth = access === undefined ? undefined : tokens === undefined ? basic : { token: tokens.auth };
  const config = inFolder("config.json");
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: inFolder("data") } },
      http: { addr: address },
      ...(auth === undefined ? {} : { auth }),
    }),
  );
  const server: ChildProcess = spawn(program, ["serve", config], { stdio: "ignore" });
  const wanted = access === undefined ? 200 : 401;
  await eventually("the registry", 20, async () =>
    (await fetch(`http://${address}/v2/`)).status === wanted ? true : undefined,
  );
  const logins = () => (access === undefined ? {} : { [address]: login });
  const send = (tag: string) =>
    withDockerConfig(logins(), (config) => run("docker", ["--config", config, "push", "--quiet", tag]));
  return {
    address,
    async tag(image, name) {
      const tag = `${address}/${name}`;
      await run("docker", ["tag", image, tag]);
      await send(tag);
      // The next one who wants it pulls it.
      await run("docker", ["rmi", "--no-prune", tag]);
    },
    async push(base, repository, version) {
      const tag = `${address}/${repository}:${version}`;
      const file = `FROM ${base}\nLABEL org.opencontainers.image.version=${version}\n`;
      await run("docker", ["build", "--quiet", "--tag", tag, "-"], { input: file, env: { DOCKER_BUILDKIT: "0" } });
      await send(tag);
      const digests = (await run("docker", ["inspect", "--format", '{{join .RepoDigests " "}}', tag])).stdout.trim();
      const pinned = digests.split(" ").find((each) => each.startsWith(`${address}/${repository}@`));
      if (pinned === undefined) throw new Error(`the registry gave ${tag} no digest`);
      return pinned;
    },
    setPassword,
    async stop() {
      server.kill();
      tokens?.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
