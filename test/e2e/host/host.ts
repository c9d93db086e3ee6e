import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheDir } from "../../../tools/lib/cache.ts";
import { type RunResult, run } from "../../../tools/lib/run.ts";
import { ensureHostImage } from "./image.ts";

/** A running test host, as the stack's setting `host` wants it. */
export interface TestHost {
  readonly container: string;
  readonly address: string;
  /** Empty where the machine's Docker has no IPv6. */
  readonly address6: string;
  readonly port: number;
  readonly user: string;
  readonly hostKey: string;
  readonly privateKeyPath: string;
}

const BOOT_SECONDS = 120;
/** systemd's signal for an orderly end. */
const STOP_SIGNAL = "SIGRTMIN+3";

/** The hosts are containers of this machine's Docker, also while a test speaks to a host's own (`onHost`). */
const env = { DOCKER_HOST: process.env.DOCKER_HOST ?? "" };

const docker = async (...args: readonly string[]): Promise<string> =>
  (await run("docker", args, { env })).stdout.trim();

const quietly = (...args: readonly string[]): Promise<RunResult> => run("docker", args, { env, allowFailure: true });

/** Where a host's key pair lies. */
function stateDir(name: string): string {
  return cacheDir("test-host", name);
}

/**
 * Networks of a host's own, so that a reboot keeps its addresses. Derived from its name; unique local addresses (RFC 4193)
 * and a part of 10.0.0.0/8 that nothing else here uses.
 */
function subnets(name: string): { readonly v4: string; readonly v6: string } {
  const [a = 0, b = 0] = createHash("sha256").update(name).digest();
  return { v4: `10.${200 + (a % 50)}.${b}`, v6: `fd00:a070:${a.toString(16)}:${b.toString(16)}:` };
}

/** A pure cgroup v2 machine needs a namespace only; with v1 controllers in use, systemd has to be told to take them. */
function cgroupOptions(): string[] {
  if (existsSync("/sys/fs/cgroup/cgroup.controllers")) return ["--cgroupns=private"];
  const legacy = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1";
  return ["--cgroupns=private", "--env", `SYSTEMD_PROC_CMDLINE=${legacy}`];
}

/** Starts a fresh host; one of that name is thrown away first. */
export async function startHost(name: string): Promise<TestHost> {
  const image = await ensureHostImage();
  await removeHost(name);
  const { v4, v6 } = subnets(name);
  const ipv6 = await quietly("network", "create", "--ipv6", "--subnet", `${v4}.0/24`, "--subnet", `${v6}:/64`, name);
  if (ipv6.code !== 0) await docker("network", "create", "--subnet", `${v4}.0/24`, name);
  const address6 = ipv6.code === 0 ? `${v6}:10` : "";
  await docker(
    ...["create", "--name", name, "--hostname", name, "--network", name, "--ip", `${v4}.10`],
    ...(address6 === "" ? [] : ["--ip6", address6, "--sysctl", "net.ipv6.conf.all.disable_ipv6=0"]),
    ...["--stop-signal", STOP_SIGNAL, "--restart", "unless-stopped", "--cap-add=ALL", "--cap-drop=SYS_RESOURCE"],
    ...["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--env", "container=docker"],
    ...["--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp", "--volume", `${name}-docker:/var/lib/docker`],
    ...cgroupOptions(),
    ...[image, "/sbin/init"],
  );
  await docker("start", name);
  const key = join(stateDir(name), "key");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key]);
  const install = "umask 077; mkdir -p /root/.ssh; cat > /root/.ssh/authorized_keys";
  const input = readFileSync(`${key}.pub`, "utf8");
  await run("docker", ["exec", "--interactive", name, "sh", "-c", install], { env, input });
  const host = { container: name, address: `${v4}.10`, address6, port: 22, user: "root", privateKeyPath: key };
  await booted(name);
  return { ...host, hostKey: await hostKeyOf(name) };
}

/** The host's public key, read at its console rather than over the network. */
async function hostKeyOf(name: string): Promise<string> {
  const [type, key] = (await docker("exec", name, "cat", "/etc/ssh/ssh_host_ed25519_key.pub")).split(" ");
  return `${type} ${key}`;
}

/** Waits until systemd has come up and sshd listens. */
async function booted(name: string): Promise<void> {
  const end = Date.now() + BOOT_SECONDS * 1000;
  const ready = "systemctl is-active --quiet ssh && ! systemctl list-jobs --no-legend | grep -q .";
  while ((await quietly("exec", name, "sh", "-c", ready)).code !== 0) {
    if (Date.now() > end) throw new Error(`the test host ${name} did not come up within ${BOOT_SECONDS} s`);
    await sleep(300);
  }
}

/** Ends the host in good order and starts it again, its disk kept. */
export async function rebootHost(name: string): Promise<void> {
  await docker("restart", "--time", "30", name);
  await booted(name);
}

/** Throws the host away: its container, disk, network and key. */
export async function removeHost(name: string): Promise<void> {
  await quietly("rm", "--force", "--volumes", name);
  await quietly("volume", "rm", "--force", `${name}-docker`);
  await quietly("network", "rm", name);
  rmSync(stateDir(name), { recursive: true, force: true });
  stateDir(name);
}

/** Runs a script at the host's console, past sshd and firewall. */
export function atConsole(name: string, script: string): Promise<RunResult> {
  return quietly("exec", name, "bash", "-euc", script);
}

/** Lets all that calls `docker` meanwhile speak to the host's own Docker, by the host's file system; needs root. */
export async function onHost<T>(name: string, work: () => Promise<T>): Promise<T> {
  const pid = await docker("inspect", "--format", "{{.State.Pid}}", name);
  process.env.DOCKER_HOST = `unix:///proc/${pid}/root/run/docker.sock`;
  try {
    return await work();
  } finally {
    delete process.env.DOCKER_HOST;
    if (env.DOCKER_HOST !== "") Object.assign(process.env, env);
  }
}
