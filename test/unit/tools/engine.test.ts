import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import semver from "semver";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { partKey, partPath, sdkVersion } from "../../../tools/bootstrap/engine/build.ts";
import { ensureEngine, supportedVersions } from "../../../tools/bootstrap/engine/engine.ts";
import { goModule, wantedGo } from "../../../tools/bootstrap/engine/go.ts";
import { buildEngine, engineFolder } from "../../../tools/bootstrap/engine/install.ts";
import { CLI_VERSION, engineParts } from "../../../tools/bootstrap/engine/parts.ts";
import { patches } from "../../../tools/bootstrap/engine/patches.ts";
import { withLock } from "../../../tools/lib/lock.ts";

let folder: string;
let bin: string;

/** Puts a program on the PATH that the test has to itself. */
function program(name: string, script: string): string {
  const path = join(bin, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "autollm-engine-unit-"));
  bin = join(folder, "bin");
  mkdirSync(bin);
  // The tools that the code itself uses, without whatever engine and Go this machine has.
  for (const name of ["sh", "cp", "chmod"]) program(name, `exec /bin/${name} "$@"`);
  vi.stubEnv("PATH", bin);
  vi.stubEnv("AUTOLLM_CACHE", join(folder, "cache"));
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

describe("an official CLI on PATH", () => {
  it("is used as it is, with an environment that adds nothing", async () => {
    const pulumi = program("pulumi", "echo v3.269.1");
    expect(await ensureEngine()).toEqual({ pulumi, origin: "official", env: {} });
  });

  it.each(["v3.249.9", "v4.0.0", "nonsense"])(
    "of version %s is an error that names what is found and wanted",
    async (version) => {
      program("pulumi", `echo ${version}`);
      await expect(ensureEngine()).rejects.toThrow(`is version ${version}, and ${supportedVersions()} is needed`);
    },
  );

  it("that does not run is an error", async () => {
    program("pulumi", "echo broken >&2; exit 3");
    await expect(ensureEngine()).rejects.toThrow(/does not run.*broken/s);
  });
});

describe("without a CLI", () => {
  it("and without Go, the error says what to install", async () => {
    await expect(ensureEngine()).rejects.toThrow(
      /neither pulumi nor go is on PATH: install the Pulumi CLI .* or Go 1\.\d+/,
    );
  });

  it("and with a Go that is too old, the error passes on why", async () => {
    program("go", "echo 'go.mod requires go >= 9.9' >&2; exit 1");
    await expect(ensureEngine()).rejects.toThrow(/this Go cannot build one.*requires go >= 9\.9/s);
  });

  it("and where nothing may be built, the error says how to", async () => {
    await expect(ensureEngine({ build: false })).rejects.toThrow(/node tools\/bootstrap\/engine\/main\.ts/);
  });
});

/** A Go that writes a script for each program that it is asked to build, and fails for one of them. */
function fakeGo(failing = "none"): void {
  program(
    "go",
    `case "$1" in build) ;; *) exit 0;; esac
while [ "$1" != -o ]; do shift; done
case "$3" in *${failing}*) echo "no space left" >&2; exit 1;; esac
echo "$3" >> ${join(folder, "built")}
printf '#!/bin/sh\\nexit 0\\n' > "$2"; chmod +x "$2"`,
  );
}

describe("a build", () => {
  // The parts that need neither patches nor a schema stand for all.
  const simple = engineParts.filter(({ schema }) => schema === undefined);

  it("appears under its name only when it is whole, and says what went wrong", async () => {
    fakeGo("pulumi-language-nodejs");
    await expect(withLock("engine", buildEngine)).rejects.toThrow(
      /pulumi-language-nodejs could not be built \(finished parts are kept\).*no space left/s,
    );
    const [cli, host] = simple.map(partPath);
    expect(existsSync(cli ?? "")).toBe(true);
    expect(existsSync(host ?? "")).toBe(false);
    expect(existsSync(join(engineFolder(), "complete"))).toBe(false);
  });

  it("continues where it was interrupted, removes incomplete parts, and needs Go only for what is missing", async () => {
    for (const part of engineParts) {
      const path = partPath(part);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
      mkdirSync(`${path}.work`);
    }
    const engine = await ensureEngine();
    expect(engine).toMatchObject({ origin: "built", pulumi: join(engineFolder(), "bin", "pulumi") });
    expect(readdirSync(join(folder, "cache", "engine", "parts")).filter((name) => name.endsWith(".work"))).toEqual([]);
    expect(readdirSync(join(engineFolder(), "bin")).sort()).toEqual(["pulumi", "pulumi-language-nodejs"]);
    expect(engine.env).toMatchObject({
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
      PULUMI_HOME: join(engineFolder(), "home"),
    });
    expect(engine.env.PATH?.startsWith(`${join(engineFolder(), "bin")}:`)).toBe(true);
  });

  it("is known again by the programs that were started with it", async () => {
    mkdirSync(join(engineFolder(), "bin"), { recursive: true });
    writeFileSync(join(engineFolder(), "complete"), "");
    writeFileSync(join(engineFolder(), "bin", "pulumi"), "#!/bin/sh\necho v3.259.0\n", { mode: 0o755 });
    vi.stubEnv("PATH", `${join(engineFolder(), "bin")}:${bin}`);
    expect((await ensureEngine()).origin).toBe("built");
  });

  it("lets one program at a time do the work, and takes over from one that died", async () => {
    const order: string[] = [];
    const work = (name: string) => async () => {
      order.push(`${name} begins`);
      await new Promise((done) => setTimeout(done, 50));
      order.push(`${name} ends`);
    };
    mkdirSync(join(folder, "cache", "locks"), { recursive: true });
    // No process has this number: it is above the largest one.
    writeFileSync(join(folder, "cache", "locks", "engine"), "99999999");
    await Promise.all([withLock("engine", work("a")), withLock("engine", work("b"))]);
    expect(order.map((step) => step.split(" ")[1])).toEqual(["begins", "ends", "begins", "ends"]);
  });
});

describe("a part's name in the cache", () => {
  const part = engineParts.find(({ name }) => name === "pulumi-resource-command");
  if (part === undefined) throw new Error("there is no command provider");
  let module: string;

  beforeEach(() => {
    module = join(folder, "module");
    cpSync(goModule, module, { recursive: true });
  });

  it.each(["go.mod", "go.sum", "command/remote.go", "version/version.go"])("changes with %s", (file) => {
    const before = partKey(part, module);
    writeFileSync(join(module, file), "changed");
    expect(partKey(part, module)).not.toBe(before);
  });

  it.each(["command/remote_test.go", "langhost/host.go", "provider/docker/info.go"])(
    "does not change with %s",
    (file) => {
      const before = partKey(part, module);
      writeFileSync(join(module, file), "changed");
      expect(partKey(part, module)).toBe(before);
    },
  );

  it("does not depend on where the clone lies", () => {
    expect(partKey(part, module)).toBe(partKey(part));
  });
});

describe("the table of parts", () => {
  it("has a CLI of a version that package.json allows", () => {
    expect(semver.satisfies(CLI_VERSION, supportedVersions())).toBe(true);
  });

  it("gives each provider the version of its npm package", () => {
    const plugins = engineParts.flatMap(({ plugin }) => (plugin === undefined ? [] : [plugin.name]));
    expect(plugins.sort()).toEqual(["command", "docker", "random", "tls"]);
    for (const plugin of plugins) expect(semver.valid(sdkVersion(plugin))).not.toBeNull();
    expect(() => sdkVersion("absent")).toThrow("@pulumi/absent");
  });

  it("names sources that exist, and patches of parts that exist", () => {
    for (const source of engineParts.flatMap(({ sources }) => sources))
      expect(existsSync(join(goModule, source))).toBe(true);
    for (const { part } of patches) expect(engineParts.map(({ name }) => name)).toContain(part);
  });

  it("is built by a version of Go that is written down once", () => {
    expect(wantedGo()).toMatch(/^1\.\d+/);
  });
});
