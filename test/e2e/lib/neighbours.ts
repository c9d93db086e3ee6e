import { docker } from "./stack.ts";

/** What a process of a workload reaches, by trying: seen from inside its mounts, among its processes, as its user. */
export interface Reach {
  readonly workload: string;
  /** Numeric users of its own processes, as the host's kernel has them. */
  readonly users: readonly string[];
  /** The users and programs of the processes that it sees. */
  readonly processes: readonly { readonly uid: number; readonly program: string }[];
  /**
   * The files below its mounts that it can open: path inside the container by device, number and time of birth, which are the same
   * everywhere. The number alone is not enough: containers are looked at one after another, and a file system gives the number of a
   * file that is gone to another.
   */
  readonly files: Readonly<Record<string, string>>;
  readonly sockets: readonly string[];
}

interface Inspected {
  readonly Id: string;
  readonly Config: { readonly User: string; readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: { readonly GroupAdd: readonly string[] | null };
  readonly Mounts: readonly { readonly Type: string; readonly Source: string; readonly Destination: string }[];
}

/** Node reads the mounts' paths from its arguments, and follows no link. */
const LOOK = `
const { accessSync, constants, closeSync, lstatSync, openSync, readdirSync, readFileSync, statSync } = require("node:fs");
const files = {}, sockets = [], processes = [];
const walk = (path) => {
  let found;
  try { found = lstatSync(path, { bigint: true }); } catch { return; }
  if (found.isSocket()) sockets.push(path);
  if (found.isDirectory()) {
    let names = [];
    try { names = readdirSync(path); } catch {}
    for (const name of names) walk(path + "/" + name);
  }
  if (found.isFile()) {
    try { closeSync(openSync(path)); files[[found.dev, found.ino, found.birthtimeNs].join(":")] = path; } catch {}
  }
};
for (const path of process.argv.slice(1)) walk(path);
for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)) {
  try { processes.push({ uid: statSync("/proc/" + pid).uid, program: readFileSync("/proc/" + pid + "/comm", "utf8").trim() }); } catch {}
}
process.stdout.write(JSON.stringify({ files, sockets, processes }));
`;

/** Figures of the kernel's: files of nobody. */
const FIGURES = /^\/(proc|sys)\//;

/**
 * Tries from inside each running container of a stack. Most of the images hold no program to look around with, so one that
 * does is started with the container's mounts, processes, user and groups.
 */
export async function reachOfEach(stack: string, image: string): Promise<readonly Reach[]> {
  const ids = (await docker("ps", "--quiet", "--filter", `label=autollm.stack=${stack}`)).split("\n");
  const containers = JSON.parse(await docker("inspect", ...ids)) as Inspected[];
  const reaches: Reach[] = [];
  for (const { Id, Config, HostConfig, Mounts } of containers) {
    const workload = Config.Labels["autollm.service"] ?? Id;
    const paths = Mounts.filter(({ Source }) => !FIGURES.test(Source)).map(({ Destination }) => Destination);
    const said = await docker(
      ...["run", "--rm", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"],
      ...["--volumes-from", Id, "--pid", `container:${Id}`, "--user", Config.User],
      ...(HostConfig.GroupAdd ?? []).flatMap((group) => ["--group-add", group]),
      ...["--entrypoint", "node", image, "-e", LOOK, ...paths],
    );
    const { processes, ...seen } = JSON.parse(said) as Pick<Reach, "files" | "sockets" | "processes">;
    // The first line is ps's heading.
    const users = (await docker("top", Id, "-eo", "uid,pid,comm")).split("\n").slice(1);
    reaches.push({
      ...seen,
      // A health check that begins: Docker's own program, which has not yet become the container's user.
      processes: processes.filter(({ program }) => !program.startsWith("runc:[")),
      workload,
      users: [
        ...new Set(users.filter((line) => !line.includes("runc:[")).map((line) => line.trim().split(/\s+/)[0] ?? "")),
      ],
    });
  }
  return reaches;
}
