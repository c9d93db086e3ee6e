import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { baseTag, buildBase } from "../../../tools/bootstrap/images/base.ts";
import { run } from "../../../tools/lib/run.ts";
import { root } from "../../../tools/lib/workspace.ts";

const TAG = "autollm.test/python:1";
/** What the wheels are for: the Python of the image's Debian, on the machines of the platform. */
const WHEELS = ["manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_17_x86_64", "any"];
/** As the images of Python on Docker Hub are: curl and a shell, and no wget. */
const PYTHON = `RUN apt-get -qq update && apt-get -qq --yes --no-install-recommends install python3 python3-venv curl >/dev/null \\
  && rm -rf /var/lib/apt/lists/* /usr/bin/wget`;

const build = (args: readonly string[], input?: string) =>
  run("docker", ["build", "--quiet", "--network", "host", ...args], {
    env: { DOCKER_BUILDKIT: "0" },
    ...(input === undefined ? {} : { input }),
  });

/** Builds the Python application of test/applications/python; answers its image's tag. */
export async function pythonApplication(): Promise<string> {
  const base = baseTag();
  if ((await run("docker", ["image", "inspect", base], { allowFailure: true })).code !== 0) await buildBase(base);
  const folder = mkdtempSync(join(tmpdir(), "autollm-python-"));
  try {
    await build(["--tag", `${TAG}-base`, "-"], `FROM ${base}\n${PYTHON}\n`);
    cpSync(join(root, "test", "applications", "python"), folder, { recursive: true });
    const platforms = WHEELS.flatMap((platform) => ["--platform", platform]);
    // On this machine, whose settings lead to the packages' index; the image is built without any.
    await run(
      "python3",
      [
        ...["-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary", ":all:", "--no-deps"],
        ...["--python-version", "3.13", ...platforms, "--dest", "wheels", "--requirement", "requirements.txt"],
      ],
      { cwd: folder },
    );
    await build(["--tag", TAG, "--build-arg", `BASE=${TAG}-base`, folder]);
    return TAG;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
