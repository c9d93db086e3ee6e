import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bootstrapInto, SUITE } from "../../../tools/bootstrap/images/base.ts";
import { keyOf } from "../../../tools/bootstrap/images/dockerfile.ts";
import { cacheDir } from "../../../tools/lib/cache.ts";
import { withLock } from "../../../tools/lib/lock.ts";
import { step } from "../../../tools/lib/log.ts";
import { run } from "../../../tools/lib/run.ts";

/** What a virtual machine is started from. */
export interface MachineImage {
  /** A raw disk that holds one ext4 file system; to be copied, not written to. */
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** Network cards, by the address of their hardware. */
export const CARDS = { out: "52:54:00:00:00:01", wan: "52:54:00:00:00:02" } as const;
/** The addresses on the card by which others see the machine: of the ranges for documentation, which lead nowhere else. */
export const WAN = {
  v4: "198.51.100.10",
  v6: "2001:db8:1::10",
  neighbour4: "198.51.100.1",
  neighbour6: "2001:db8:1::1",
} as const;

const DISK_SIZE = "20G";
/** What a fresh virtual server has, besides its kernel: nothing of the platform. */
const PACKAGES = [
  ...["systemd", "systemd-sysv", "dbus", "udev", "kmod", "initramfs-tools", "zstd"],
  ...["iproute2", "procps", "e2fsprogs", "openssh-server", "ca-certificates"],
];
const KERNEL = "linux-image-cloud-amd64";

/** A cloud's first boot does this: keys of the host's own, shown at its console. */
const HOST_KEYS = `[Unit]
Description=Makes the host's keys and shows the public one at the console
DefaultDependencies=no
After=local-fs.target systemd-random-seed.service
Before=ssh.service ssh.socket sockets.target

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
ExecStart=/usr/bin/cat /etc/ssh/ssh_host_ed25519_key.pub
StandardOutput=journal+console

[Install]
WantedBy=sysinit.target
`;

const FILES: Readonly<Record<string, string>> = {
  "etc/hostname": "machine\n",
  "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 machine\n::1 localhost ip6-localhost\n",
  "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
  "etc/machine-id": "",
  "etc/systemd/system/host-keys.service": HOST_KEYS,
  "etc/systemd/network/10-out.network": `[Match]\nMACAddress=${CARDS.out}\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n`,
  "etc/systemd/network/20-wan.network": `[Match]\nMACAddress=${CARDS.wan}\n[Network]\nAddress=${WAN.v4}/24\nAddress=${WAN.v6}/64\nIPv6AcceptRA=no\n`,
  // Only what the disk and the cards need: an emulated processor unpacks it at each boot.
  "etc/initramfs-tools/conf.d/machine": "MODULES=list\nCOMPRESS=zstd\n",
  "etc/initramfs-tools/modules": ["virtio_pci", "virtio_blk", "virtio_net", "virtio_rng", "ext4", ""].join("\n"),
};

/** sshd is started by its socket, as on many a cloud's image. */
const SET_UP = `
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get -qq update
apt-get -qq --yes upgrade
apt-get -qq --yes --no-install-recommends install ${KERNEL}
apt-get clean
rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*_key*
systemctl --quiet disable ssh.service
systemctl --quiet enable ssh.socket host-keys.service systemd-networkd.service
`;

/** What a kernel's package asks for, in a mount namespace of its own: nothing stays mounted, whatever happens. */
const IN_ROOT = `
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
mount --bind /dev "$1/dev"
exec chroot "$1" sh -euc "$2"
`;

/** The image, made once for each content from Debian's packages alone, and kept. */
export async function machineImage(): Promise<MachineImage> {
  const key = keyOf(SUITE, DISK_SIZE, KERNEL, SET_UP, ...PACKAGES, JSON.stringify(FILES));
  const dir = join(cacheDir("machine"), key);
  await withLock("machine-image", async () => {
    if (existsSync(dir)) return;
    await step("making the virtual machine's image from Debian's packages", "2 to 4 minutes", () => make(dir));
  });
  const image = (file: string) => join(dir, file);
  return { disk: image("disk.img"), kernel: image("vmlinuz"), initrd: image("initrd.img") };
}

async function make(dir: string): Promise<void> {
  // What an interrupted run left is thrown away.
  const [part, root] = [`${dir}.part`, join(dirname(dir), "rootfs")];
  for (const folder of [part, root]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
  }
  try {
    await bootstrapInto(root, PACKAGES);
    for (const [path, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const confined = ["--mount", "--propagation", "private", "sh", "-euc", IN_ROOT, "sh", root, SET_UP];
    await run("unshare", confined);
    // QEMU's own name server, which asks this machine's.
    rmSync(join(root, "etc/resolv.conf"), { force: true });
    writeFileSync(join(root, "etc/resolv.conf"), "nameserver 10.0.2.3\n");
    const boot = join(root, "boot");
    for (const name of ["vmlinuz", "initrd.img"]) {
      const found = readdirSync(boot).find((file) => file.startsWith(`${name}-`));
      if (found === undefined) throw new Error(`the kernel's package brought no ${name}`);
      await run("cp", [join(boot, found), join(part, name)]);
    }
    await run("mke2fs", ["-q", "-t", "ext4", "-L", "root", "-d", root, join(part, "disk.img"), DISK_SIZE]);
    renameSync(part, dir);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
