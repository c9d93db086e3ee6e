import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { buildStackImages } from "../../tools/lib/prepare.ts";
import { type RunResult, run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { eventually } from "./lib/http.ts";
import { docker, freePort } from "./lib/stack.ts";

const STACK = "staging";

/** Two clones with one backend, as two operators have them; the second one stands for another machine. */
describe("two operators of a shared stack", () => {
  const home = mkdtempSync(join(tmpdir(), "autollm-concurrent-"));
  const clone = (name: string) => join(home, name);
  const env = (name: string): Record<string, string> => ({
    CI: "true",
    PULUMI_COLOR: "never",
    NO_COLOR: "1",
    PULUMI_BACKEND_URL: `file://${join(home, "backend")}`,
    PULUMI_CONFIG_PASSPHRASE: passphrase,
    AUTOLLM_HOME: join(home, `${name}-home`),
  });
  const passphrase = randomBytes(16).toString("hex");
  const option = ["--stack", STACK];

  const npm = (name: string, command: string, ...args: readonly string[]): Promise<RunResult> =>
    run("./autollm", [command, ...args, ...option], {
      cwd: clone(name),
      env: env(name),
      allowFailure: true,
    });
  /** The same with a host name and process ids of its own, as another machine has them. */
  const elsewhere = (command: string, ...args: readonly string[]): Promise<RunResult> => {
    const line = ["./autollm", command, ...args, ...option];
    const machine = [
      "--uts",
      "--pid",
      "--fork",
      "--mount-proc",
      "sh",
      "-c",
      'hostname other-machine && exec "$@"',
      "sh",
    ];
    return run("unshare", [...machine, ...line], { cwd: clone("second"), env: env("second"), allowFailure: true });
  };
  const containers = async (): Promise<string[]> => {
    const ids = await docker("ps", "--all", "--no-trunc", "--quiet", "--filter", `label=autollm.stack=${STACK}`);
    return ids === "" ? [] : ids.split("\n").sort();
  };
  const pending = async (): Promise<number> => {
    const { stdout } = await npm("second", "pulumi", "stack", "export");
    const { deployment } = JSON.parse(stdout) as { deployment: { pending_operations?: unknown[] } };
    return deployment.pending_operations?.length ?? 0;
  };
  /** Until the engine makes containers and waits for their health. */
  const inTheMiddle = async (known: readonly string[], change: Promise<RunResult>) => {
    const ended = change.then(({ code, stdout, stderr }) => {
      throw new Error(`it ended with ${code} before it made a container:\n${stdout}${stderr}`);
    });
    const making = eventually("the first one makes containers", 300, async () =>
      (await containers()).some((id) => !known.includes(id)) && (await pending()) > 0 ? true : undefined,
    );
    await Promise.race([making, ended]);
  };

  beforeAll(async () => {
    mkdirSync(join(home, "backend"));
    for (const name of ["first", "second"]) {
      await run("git", ["clone", "--quiet", root, clone(name)]);
      symlinkSync(join(root, "node_modules"), join(clone(name), "node_modules"));
    }
    const { source, built } = await buildStackImages();
    const config = {
      "autollm:environment": "local",
      "autollm:httpPort": await freePort(),
      "autollm:httpsPort": await freePort(),
      "autollm:imageSource": source,
      "autollm:localImages": built,
      "autollm:filesDir": join(home, "files"),
    };
    const file = `Pulumi.${STACK}.yaml`;
    writeFileSync(join(clone("first"), file), stringify({ config }));
    const made = await run("./autollm", ["pulumi", "stack", "init", STACK], {
      cwd: clone("first"),
      env: env("first"),
    });
    expect(made.code).toBe(0);
    copyFileSync(join(clone("first"), file), join(clone("second"), file));
  });
  afterAll(async () => {
    await npm("first", "unlock", "--yes");
    await npm("first", "pulumi", "cancel", "--yes");
    await npm("first", "pulumi", "destroy", "--yes");
    rmSync(home, { recursive: true, force: true });
  });

  test("change it one after the other: the second one gets the name of the first, and takes nothing from it", async () => {
    const first = npm("first", "up", "--yes");
    await inTheMiddle([], first);
    const before = await containers();
    const held =
      /stack staging is being changed by \S+ from \S+ \(up, process \d+\) since \S+, last heartbeat \d+ s ago/;
    const commands = [
      ["up", "--yes"],
      ["rotate", "nats-tls", "--yes"],
      ["rollback", "--yes"],
      ["deploy", "--yes"],
      ["pulumi", "destroy", "--yes"],
    ] as const;
    await Promise.all(
      commands.map(async ([command, ...args]) => {
        const { code, stderr } = await elsewhere(command, ...args);
        expect(code, command).toBe(1);
        expect(stderr, command).toMatch(held);
      }),
    );
    expect(await containers()).toEqual(expect.arrayContaining(before));

    const { code, stdout, stderr } = await first;
    expect(code, stdout + stderr).toBe(0);
    expect(await containers()).toEqual(expect.arrayContaining(before));
    expect((await elsewhere("unlock")).stderr).toContain("nobody is changing stack staging");
    const { stdout: preview } = await elsewhere("preview");
    expect(preview).toMatch(/\d+ unchanged/);
  });

  test("whose first one is killed: another machine waits, and its own goes on from what is there", async () => {
    const known = await containers();
    const rotation = npm("first", "rotate", "nats-tls", "--yes");
    await inTheMiddle(known, rotation);
    // The command first, so that it does not go on; then the engine itself.
    const [, command] = /process (\d+)/.exec((await npm("first", "unlock")).stderr) ?? [];
    const locks = join(home, "backend", ".pulumi", "locks", "organization", "autollm", STACK);
    const [lock = ""] = readdirSync(locks);
    const engine = JSON.parse(readFileSync(join(locks, lock), "utf8")) as { pid: number };
    for (const pid of [Number(command), engine.pid]) process.kill(pid, "SIGKILL");
    await rotation;

    const refused = await elsewhere("up", "--yes");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /is being changed by .* \(rotate, process \d+\).*[\s\S]*\.\/autollm unlock --stack staging/,
    );

    const { code, stdout, stderr } = await npm("first", "up", "--yes");
    expect(code, stdout + stderr).toBe(0);
    expect(stderr).toMatch(/the lock of stack staging was left by .* \(rotate,.*: it is taken over/);
    expect(await pending()).toBe(0);
    const { stdout: exported } = await npm("first", "pulumi", "stack", "export");
    const { deployment } = JSON.parse(exported) as { deployment: { resources: { type: string; id: string }[] } };
    const noted = deployment.resources.filter(({ type }) => type === "docker:index/container:Container");
    expect(await containers(), "the containers that the state knows").toEqual(noted.map(({ id }) => id).sort());
  });
});
