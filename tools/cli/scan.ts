import { join } from "node:path";
import { imageNames, imageReference } from "../../components/images.ts";
import { goTool } from "../lib/buildTools.ts";
import { command, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { registryLogins, withDockerConfig } from "../lib/registryLogins.ts";
import { type RunOptions, run, which } from "../lib/run.ts";
import { StackFile } from "../lib/stackFile.ts";
import { openWorkspace, root } from "../lib/workspace.ts";

/** What ends a build (platform standard). */
const TRIVY_LIMIT = ["--severity", "HIGH,CRITICAL", "--exit-code", "1"];

async function trivy(): Promise<string> {
  const program = await which("trivy");
  if (program === undefined)
    throw new UserError("trivy is not on PATH: https://trivy.dev/latest/getting-started/installation/");
  return program;
}

/** Every image that is deployed somewhere, by digest. */
function deployedImages(): readonly string[] {
  const released = ["staging", "production"].flatMap((stack) =>
    Object.values(new StackFile(join(root, `Pulumi.${stack}.yaml`)).images()).map(({ image }) => image),
  );
  return [...new Set([...imageNames.map(imageReference), ...released])];
}

/** Runs a program in the repository, and answers whether it was content. */
async function passes(program: string, args: readonly string[], env: RunOptions["env"] = {}): Promise<boolean> {
  return (await run(program, args, { cwd: root, env, output: "show", allowFailure: true })).code === 0;
}

async function all(checks: readonly (() => Promise<boolean>)[]): Promise<boolean> {
  let good = true;
  // One after the other, all of them: a finding hides no other.
  for (const check of checks) good = (await check()) && good;
  return good;
}

/** Runs work with the logins of a stack's registries in the environment; those of Docker's client stay where none is named. */
async function withLogins<T>(stack: string | undefined, work: (env: Readonly<Record<string, string>>) => Promise<T>) {
  if (stack === undefined) return work({});
  return withDockerConfig(await registryLogins(await openWorkspace(stack)), (folder) =>
    work({ DOCKER_CONFIG: folder }),
  );
}

type Scan = (names: readonly string[], stack: string | undefined) => Promise<boolean>;

const scans: Readonly<Record<string, Scan>> = {
  secrets: async () => {
    const gitleaks = await goTool("gitleaks");
    const common = ["--redact", "--no-banner", "--config", join(root, ".gitleaks.toml")];
    return all([
      () => passes(gitleaks, ["git", ...common, "--log-opts=--all", "."]),
      () => passes(join(root, "autollm"), ["config-secrets"]),
    ]);
  },
  packages: () =>
    all([
      () => passes("npm", ["audit", "signatures"]),
      () => passes("npm", ["audit", "--omit=dev", "--audit-level=high"]),
    ]),
  config: async () => passes(await trivy(), ["config", ...TRIVY_LIMIT, "--skip-dirs", "node_modules", "."]),
  images: async (names, stack) => {
    const program = await trivy();
    const images = names.length > 0 ? names : deployedImages();
    const args = ["image", "--scanners", "vuln", "--ignore-unfixed", "--no-progress", ...TRIVY_LIMIT];
    return withLogins(stack, (env) =>
      all(
        images.map((image) => () => {
          say(`... ${image}`);
          return passes(program, [...args, image], env);
        }),
      ),
    );
  },
  sbom: () => passes("npm", ["sbom", "--sbom-format", "cyclonedx", "--omit", "dev"]),
};

export const scanCommand = command(
  {
    usage: "secrets | packages | config | images [--stack NAME] [IMAGE...] | sbom",
    about: "One scan per run; ends with 1 if it finds something.",
    words: {
      secrets:
        "gitleaks over the whole history, and stacks' files for plain text (gitleaks is built into the cache; needs Go)",
      packages: "npm's signatures, and known vulnerabilities of severity high or critical in what is shipped",
      config: "Trivy over the repository's files: HIGH and CRITICAL (trivy on PATH)",
      images: "Trivy over every image: ours by default, with staging's and production's; or those named",
      sbom: "prints what the project is made of, as CycloneDX JSON",
    },
    choices: Object.keys(scans),
    options: {
      stack: {
        type: "string",
        value: "NAME",
        says: "pull private images with the logins of this stack's `registries`, instead of those of `docker login`",
      },
    },
    positionals: true,
    changes: "nothing",
  },
  async ({ stack }, [kind = "", ...names]) => {
    const scan = Object.hasOwn(scans, kind) ? scans[kind] : undefined;
    if (scan === undefined || ((names.length > 0 || stack !== undefined) && kind !== "images"))
      throw new UserError(`name one scan: ${Object.keys(scans).join(", ")}`, USAGE);
    return (await scan(names, stack)) ? 0 : 1;
  },
);
