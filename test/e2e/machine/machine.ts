import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Login, sshOptions } from "../../../components/host/login.ts";
import { ROOT_SHELL } from "../../../components/shell.ts";
import { cacheDir } from "../../../tools/lib/cache.ts";
import { machineFault, QEMU } from "../../../tools/lib/qemu.ts";
import { type RunResult, run } from "../../../tools/lib/run.ts";
import { eventually } from "../lib/http.ts";
import { CARDS, type MachineImage, machineImage, WAN } from "./image.ts";

const MEMORY_MIB = 4096;
const PROCESSORS = 2;
/** An emulated machine boots in one to two minutes, beside other work in more. */
const BOOT_SECONDS = 900;
const OFF_SECONDS = 300;
/** Within which a processor that is not emulated shows the kernel's first line. */
const PROBE_SECONDS = 20;
/** The name of this machine's end of the cable. */
const TAP = "autollm-vm";

/** Gives this machine an address beside the virtual one; QEMU runs it with the name of the card. Without IPv6 it has one alone. */
const CABLE = `#!/bin/sh
set -eu
ip addr add ${WAN.neighbour4}/24 dev "$1"
ip -6 addr add ${WAN.neighbour6}/64 dev "$1" nodad || true
ip link set "$1" up
`;

/** A Debian 13 with a kernel, disk and network cards of its own, whose power can be cut. */
export class Machine {
  readonly dir: string;
  readonly #image: MachineImage;
  readonly #accelerator: readonly string[];
  #qemu: ChildProcess | undefined;
  #hostKey = "";

  private constructor(dir: string, image: MachineImage, accelerator: readonly string[]) {
    this.dir = dir;
    this.#image = image;
    this.#accelerator = accelerator;
  }

  /** Makes a fresh machine and boots it; one of that name is thrown away first. */
  static async fresh(name: string): Promise<Machine> {
    const fault = await machineFault({ install: process.env.CI !== undefined });
    if (fault !== undefined) throw new Error(`no virtual machine: ${fault}`);
    const image = await machineImage();
    const dir = cacheDir("machine", name);
    rmSync(dir, { recursive: true, force: true });
    cacheDir("machine", name);
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", join(dir, "key")]);
    await run("cp", ["--sparse=always", "--reflink=auto", image.disk, join(dir, "disk.img")]);
    writeFileSync(join(dir, "cable"), CABLE, { mode: 0o755 });
    const machine = new Machine(dir, image, await accelerator(image, dir));
    await machine.boot();
    return machine;
  }

  get accelerated(): boolean {
    return this.#accelerator.includes("kvm");
  }

  get privateKeyPath(): string {
    return join(this.dir, "key");
  }

  /** The host's public key, read at its console rather than over the network. */
  get hostKey(): string {
    return this.#hostKey;
  }

  /** All that the console has shown. */
  get console(): string {
    return readFileSync(join(this.dir, "console.log"), "utf8");
  }

  /** Switches the machine on and waits until it lets somebody in. */
  async boot(user = "root"): Promise<void> {
    if (this.#qemu !== undefined) throw new Error("the machine is on");
    this.#qemu = this.#start();
    try {
      await this.up(user);
    } catch (error) {
      throw new Error(`${error}; its console:\n${this.console.split("\n").slice(-40).join("\n")}`);
    }
  }

  /** Waits until sshd answers and nothing more is being started. */
  async up(user: string): Promise<void> {
    this.#hostKey = await eventually("the host's key at the console", BOOT_SECONDS, async () => {
      this.#assertOn();
      return /\bssh-ed25519 [A-Za-z0-9+/]+=*/.exec(this.console)?.[0];
    });
    await eventually("a login", BOOT_SECONDS, async () => {
      this.#assertOn();
      const { code, stdout } = await this.ssh(user, "systemctl list-jobs --no-legend");
      return code === 0 && stdout === "" ? true : undefined;
    });
  }

  #assertOn(): void {
    const { exitCode, signalCode } = this.#qemu ?? { exitCode: null, signalCode: null };
    if (exitCode === null && signalCode === null) return;
    throw new Error(`QEMU ended: ${readFileSync(join(this.dir, "qemu.log"), "utf8")}`);
  }

  #start(): ChildProcess {
    const { dir } = this;
    // What systemd makes the first login's key of, as it would what a cloud gives it.
    const key = readFileSync(`${this.privateKeyPath}.pub`).toString("base64");
    const command = `root=/dev/vda rw console=ttyS0 loglevel=4 systemd.set_credential_binary=ssh.authorized_keys.root:${key}`;
    const log = openSync(join(dir, "qemu.log"), "a");
    // A test that is killed takes its machine along.
    const qemu = spawn(
      "setpriv",
      [
        ...["--pdeathsig", "KILL", QEMU],
        ...[
          "-name",
          "autollm",
          "-M",
          "q35",
          ...this.#accelerator,
          "-smp",
          String(PROCESSORS),
          "-m",
          String(MEMORY_MIB),
        ],
        ...["-nodefaults", "-no-user-config", "-display", "none"],
        ...["-kernel", this.#image.kernel, "-initrd", this.#image.initrd, "-append", command],
        // Past this machine's own cache of files: what the guest has not flushed is gone with its power.
        ...["-drive", `file=${join(dir, "disk.img")},format=raw,if=none,id=disk,cache=none,discard=unmap`],
        ...["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"],
        ...["-netdev", "user,id=out", "-device", `virtio-net-pci,netdev=out,mac=${CARDS.out},romfile=`],
        ...["-netdev", `tap,id=wan,ifname=${TAP},script=${join(dir, "cable")},downscript=no`],
        ...["-device", `virtio-net-pci,netdev=wan,mac=${CARDS.wan},romfile=`],
        ...["-chardev", `file,id=console,path=${join(dir, "console.log")},append=on`, "-serial", "chardev:console"],
      ],
      { stdio: ["ignore", log, log] },
    );
    closeSync(log);
    return qemu;
  }

  /** The way in for somebody with the first key. */
  login(user: string): Login {
    const { hostKey, privateKeyPath } = this;
    return { address: WAN.v4, port: 22, user, hostKey, privateKeyPath };
  }

  /** Options of OpenSSH's client. Logins share a connection: each is dear to an emulated processor. */
  sshArgs(user: string): string[] {
    const shared = ["ControlMaster=auto", `ControlPath=${join(this.dir, "%r.ssh")}`, "ControlPersist=600"];
    return [
      // Of two values the client takes the first: a busy emulated machine answers late.
      ...["-o", "ConnectTimeout=60", ...shared.flatMap((option) => ["-o", option])],
      ...sshOptions(this.login(user)),
      `${user}@${WAN.v4}`,
    ];
  }

  /** Runs a script over SSH as root. */
  ssh(user: string, script: string): Promise<RunResult> {
    return run("ssh", [...this.sshArgs(user), ROOT_SHELL], {
      input: `main() {\n${script}\n}\nset -eu\nmain </dev/null\n`,
      allowFailure: true,
    });
  }

  async #forget(user: string): Promise<void> {
    await run("ssh", ["-O", "exit", ...this.sshArgs(user)], { allowFailure: true });
  }

  /** Takes the power away: nothing in the machine learns of it. */
  async cut(user: string): Promise<void> {
    const qemu = this.#qemu;
    if (qemu === undefined) throw new Error("the machine is off");
    const ended = new Promise((done) => qemu.once("close", done));
    qemu.kill("SIGKILL");
    await ended;
    this.#qemu = undefined;
    await this.#forget(user);
  }

  /** Reboots it in good order, and waits until it is back. */
  async reboot(user: string): Promise<void> {
    const id = async () => (await this.ssh(user, "cat /proc/sys/kernel/random/boot_id")).stdout;
    const before = await id();
    await this.ssh(user, "systemctl reboot");
    await pause(2000);
    await this.#forget(user);
    await eventually("another boot", BOOT_SECONDS, async () => {
      this.#assertOn();
      const now = await id();
      return now !== "" && now !== before ? true : undefined;
    });
    await this.up(user);
  }

  /** Throws the machine away. */
  async remove(): Promise<void> {
    const qemu = this.#qemu;
    for (const user of ["root", "deployer"]) await this.#forget(user);
    if (qemu !== undefined && qemu.exitCode === null && qemu.signalCode === null) {
      const ended = new Promise((done) => qemu.once("close", done));
      qemu.kill("SIGTERM");
      await Promise.race([ended, pause(OFF_SECONDS * 1000).then(() => qemu.kill("SIGKILL"))]);
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The real processor where it runs a kernel, which an openable /dev/kvm alone does not show; else an emulated one. */
async function accelerator(image: MachineImage, dir: string): Promise<readonly string[]> {
  const real = ["-accel", "kvm", "-cpu", "host"];
  const probe = join(dir, "probe.log");
  await run(
    "timeout",
    [
      ...["--signal=KILL", String(PROBE_SECONDS), QEMU, "-M", "q35", ...real, "-m", "512", "-nodefaults", "-no-reboot"],
      ...["-display", "none", "-kernel", image.kernel, "-append", "console=ttyS0 panic=-1", "-serial", `file:${probe}`],
    ],
    { allowFailure: true },
  );
  const ran = (await run("grep", ["-qsa", "Linux version", probe], { allowFailure: true })).code === 0;
  return ran ? real : ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"];
}
