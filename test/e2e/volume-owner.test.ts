import { randomBytes } from "node:crypto";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { ownerScript, sharedScript } from "../../components/runtime/volume.ts";
import { ensureDocker } from "../../tools/bootstrap/docker/docker.ts";
import { run } from "../../tools/lib/run.ts";
import { imagesHere } from "./lib/images.ts";
import { docker } from "./lib/stack.ts";

const FORMER = "20001:20001";
const PRESENT = "20002:20002";
const dockerSocket = process.env.DOCKER_HOST ?? "unix:///var/run/docker.sock";

let image: string;
beforeAll(async () => {
  await ensureDocker({ install: process.env.CI === "true" });
  image = (await imagesHere(["postgres"])).postgres;
});

/** A volume with files of the former user's, some behind a directory that only it enters. */
async function usedVolume(): Promise<string> {
  const volume = await docker("volume", "create", `autollm-owner-${randomBytes(4).toString("hex")}`);
  onTestFinished(async () => void (await docker("volume", "rm", "--force", volume)));
  await give(volume, FORMER);
  await as(
    volume,
    FORMER,
    "mkdir -m 0700 /v/deep && echo 1 >/v/deep/file && ln -s /etc/passwd /v/link && umask 077 && echo 2 >/v/own",
  );
  return volume;
}

const give = (volume: string, user: string) =>
  run("sh", ["-c", ownerScript({ dockerSocket, volume, imageId: image, user })]);

const confined = (volume: string, user: string) => [
  // As the workloads have one, a mount that is no volume.
  ...["--volume", "/etc/hostname:/name:ro"],
  ...["--user", user, "--network", "none", "--cap-drop", "ALL", "--volume", volume, "--entrypoint", "/bin/sh", image],
];
const as = (volume: string, user: string, script: string) =>
  docker("run", "--rm", ...confined(`${volume}:/v`, user), "-euc", script);

/** A container that goes on writing to the volume as a user, or only has it mounted to read. */
async function busy(volume: string, user: string, mode: "rw" | "ro"): Promise<string> {
  const script = mode === "rw" ? "trap 'exit 0' TERM; while :; do date >/v/busy; sleep 0.1; done" : "sleep 600";
  const mount = `${volume}:/v:${mode}`;
  const id = await docker("run", "--detach", "--init", "--stop-timeout", "5", ...confined(mount, user), "-c", script);
  onTestFinished(async () => void (await docker("rm", "--force", id)));
  return id;
}
const isRunning = async (container: string) =>
  (await docker("inspect", "--format", "{{.State.Running}}", container)) === "true";

test("a used volume is given to another user with all that is in it", async () => {
  const volume = await usedVolume();
  await give(volume, PRESENT);
  expect(await as(volume, PRESENT, "cat /v/deep/file /v/own; echo 3 >/v/deep/file; cat /v/deep/file")).toBe("1\n2\n3");
  expect(await as(volume, PRESENT, "find /v ! -user 20002 -o ! -group 20002")).toBe("");
});

test("who writes as the former user is stopped before, and who only reads is not", async () => {
  const volume = await usedVolume();
  const writer = await busy(volume, FORMER, "rw");
  const reader = await busy(volume, FORMER, "ro");
  await give(volume, PRESENT);
  expect([await isRunning(writer), await isRunning(reader)]).toEqual([false, true]);
  expect(await as(volume, PRESENT, "find /v ! -user 20002")).toBe("");
});

test("who writes as the present user goes on, when nothing is left to do", async () => {
  const volume = await usedVolume();
  await give(volume, PRESENT);
  const writer = await busy(volume, PRESENT, "rw");
  await give(volume, PRESENT);
  expect(await isRunning(writer)).toBe(true);
});

test("an interrupted run is finished by the next one", async () => {
  const volume = await usedVolume();
  // As far as a killed run may come: the content belongs to the present user, the directory itself to the former.
  await docker(
    "run",
    "--rm",
    "--user",
    "0:0",
    "--network",
    "none",
    "--volume",
    `${volume}:/v`,
    "--entrypoint",
    "chown",
    image,
    "20002:20002",
    "/v/deep",
  );
  const writer = await busy(volume, FORMER, "rw");
  await give(volume, PRESENT);
  expect(await isRunning(writer)).toBe(false);
  expect(await as(volume, PRESENT, "find /v ! -user 20002")).toBe("");
});

test("a volume is shared with its owner's group: each writes, reads and removes what the other made, and nobody else does", async () => {
  const volume = await usedVolume();
  await give(volume, PRESENT);
  const share = () => run("sh", ["-c", sharedScript({ dockerSocket, volume, imageId: image, user: PRESENT })]);
  await share();
  const guest = (script: string) =>
    docker("run", "--rm", "--group-add", "20002", ...confined(`${volume}:/v`, "20003:20003"), "-euc", script);
  // What the owner made before, in a folder that only it entered.
  expect(await guest("cat /v/deep/file /v/own; echo 3 >/v/deep/file")).toBe("1\n2");
  await guest("umask 002 && mkdir /v/new && echo g >/v/new/file && echo on >/v/switch");
  expect(await as(volume, PRESENT, "echo o >>/v/new/file; cat /v/new/file; rm /v/switch; cat /v/deep/file")).toBe(
    "g\no\n3",
  );
  await as(volume, PRESENT, "umask 002 && echo on >/v/switch");
  expect(await guest("rm /v/switch && cat /v/new/file && find /v -user 20003")).toBe("g\no\n/v/new\n/v/new/file");
  await expect(as(volume, "20004:20004", "touch /v/strange")).rejects.toThrow(/Permission denied/);
  // Once more changes nothing, and what the guest made is no fault.
  await share();
  expect(await as(volume, PRESENT, "stat -c %a /v")).toBe("2775");
});
