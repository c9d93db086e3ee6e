import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { closest } from "../../components/closest.ts";
import { ensureDocker } from "../bootstrap/docker/docker.ts";
import { ensureEngine } from "../bootstrap/engine/engine.ts";
import { buildsDebian } from "../bootstrap/images/base.ts";
import { unasked } from "../lib/ask.ts";
import { command, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { buildStackImages } from "../lib/prepare.ts";
import { machineFault } from "../lib/qemu.ts";
import { run } from "../lib/run.ts";
import { root } from "../lib/workspace.ts";

/** The tests for every change; all others under test/e2e belong to --full. */
const CORE = ["test/e2e/config-checks.test.ts", "test/e2e/platform.test.ts", "test/e2e/engine.test.ts"];
/**
 * The tests that bootstrap a Debian of their own (hosts, and the images that are built if no registry is reachable), or take a
 * program from its packages and namespaces from the kernel.
 */
const ON_DEBIAN = ["test/e2e/host*.test.ts", "test/e2e/images.test.ts", "test/e2e/workflows.test.ts"];
/** The test that runs a virtual machine. */
const MACHINE = "test/e2e/machine.test.ts";

/**
 * The path of a file of tests, from the repository's root. Vitest alone would run each file whose path holds the word: host-faults for
 * faults.
 */
function testFile(word: string): string {
  const found = [word, join("test/e2e", word), join("test/e2e", `${word}.test.ts`)].find(
    (path) => path.endsWith(".test.ts") && existsSync(join(root, path)),
  );
  if (found !== undefined) return found;
  const files = readdirSync(join(root, "test/e2e")).filter((name) => name.endsWith(".test.ts"));
  const near = closest(word, files);
  throw new UserError(`there are no tests in ${word}${near === undefined ? "" : `; did you mean ${near}?`}`, USAGE);
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

export const e2eCommand = command(
  {
    usage: "[FILE...]",
    about:
      "Starts stacks of its own on this machine's Docker, tests them, and removes them. It leaves other stacks alone.",
    words: { FILE: "only the tests of these files, such as faults.test.ts" },
    options: {
      install: {
        type: "boolean",
        says: "allow to install what is missing (Docker and QEMU, on Debian; always so when CI is set)",
      },
      only: {
        type: "string",
        value: "TEXT",
        says: "only tests with this text in their name (what they need before is done all the same)",
      },
      full: {
        type: "boolean",
        says: "also the long tests: rotation of every credential, hosts, a virtual machine, the images one by one, and what needs long builds",
      },
    },
    positionals: true,
    changes: "nothing",
  },
  async ({ install, full, only }, words) => {
    const files = words.map(testFile);
    const allowed = unasked(install);
    await ensureDocker({ install: allowed });
    await ensureEngine();
    // On a new machine this takes longer than any test may.
    await buildStackImages();
    const whole = full === true || files.length > 0;
    if (!whole) say("the core tests; the long ones are left to: npm run e2e:full");
    const left = whole && !buildsDebian() ? [...ON_DEBIAN] : [];
    if (left.length > 0) say(`left out, since they need Debian and root: ${left.join(", ")}`);
    const asksMachine = whole && (files.length === 0 || files.some((file) => MACHINE.includes(file)));
    const fault = asksMachine ? await machineFault({ install: allowed }) : undefined;
    if (fault !== undefined) {
      left.push(MACHINE);
      say(`left out: ${MACHINE}, since ${fault}`);
    }
    const excluded = left.map((pattern) => `--exclude=${pattern}`);
    const named = only === undefined ? [] : ["--testNamePattern", escaped(only)];
    const { code } = await run(
      "vitest",
      ["run", "--project", "e2e", ...excluded, ...named, ...(whole ? files : CORE)],
      { cwd: root, output: "show", allowFailure: true },
    );
    return code;
  },
);
