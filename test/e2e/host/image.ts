import { baseTag, buildBase } from "../../../tools/bootstrap/images/base.ts";
import { keyOf, localTag } from "../../../tools/bootstrap/images/dockerfile.ts";
import { step } from "../../../tools/lib/log.ts";
import { run } from "../../../tools/lib/run.ts";

/** What a fresh virtual server has: systemd, sshd, a network. Nothing of the platform. */
const PACKAGES = ["systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2", "ca-certificates"];

/**
 * What a container needs to behave like a machine, and a machine does not: writable control groups, network settings that can be
 * set (the rest of /proc/sys is the real machine's and stays read-only), host keys of its own.
 */
const UNIT = `[Unit]
Description=Makes this container behave like a machine
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service ssh.service ssh.socket

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/like-a-machine

[Install]
WantedBy=sysinit.target
`;

const SCRIPT = `#!/bin/sh
for mount in /sys/fs/cgroup /sys/fs/cgroup/*; do
  if mountpoint -q "$mount"; then mount -o remount,bind,rw "$mount"; fi
done
mount -o remount,rw /proc/sys
for area in kernel vm fs; do
  mount --bind "/proc/sys/$area" "/proc/sys/$area"
  mount -o remount,bind,ro "/proc/sys/$area"
done
ssh-keygen -A >/dev/null
`;

const encode = (text: string) => Buffer.from(text).toString("base64");

function dockerfile(base: string): string {
  const setUp = [
    "set -eu",
    // The base image keeps services from starting and leaves files out: a server does neither.
    "rm -f /usr/sbin/policy-rc.d /etc/dpkg/dpkg.cfg.d/slim",
    "export DEBIAN_FRONTEND=noninteractive",
    "apt-get -qq update",
    `apt-get -qq install --yes --no-install-recommends ${PACKAGES.join(" ")}`,
    "rm -f /etc/ssh/ssh_host_*_key*",
    ": > /etc/machine-id",
    `echo ${encode(SCRIPT)} | base64 -d > /usr/local/sbin/like-a-machine`,
    "chmod 0755 /usr/local/sbin/like-a-machine",
    `echo ${encode(UNIT)} | base64 -d > /etc/systemd/system/like-a-machine.service`,
    "systemctl enable like-a-machine.service ssh.service",
    "systemctl mask systemd-modules-load.service getty.target console-getty.service",
  ];
  return `FROM ${base}\nLABEL autollm.local-image=test-host\nRUN ${setUp.join("; \\\n    ")}\nCMD ["/sbin/init"]\n`;
}

/** The test host's image, built once for each content and kept by the daemon. */
export async function ensureHostImage(): Promise<string> {
  const base = baseTag();
  const text = dockerfile(base);
  const tag = localTag("test-host", keyOf(text));
  if (await exists(tag)) return tag;
  if (!(await exists(base))) await buildBase(base);
  await step("building the test host's image", "under a minute", () =>
    run("docker", ["build", "--tag", tag, "-"], { input: text, env: { DOCKER_BUILDKIT: "0" } }),
  );
  return tag;
}

async function exists(tag: string): Promise<boolean> {
  return (await run("docker", ["image", "inspect", tag], { allowFailure: true })).code === 0;
}
