import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { DEPLOYER } from "../../../components/host/options.ts";
import { buildStackImages } from "../../../tools/lib/prepare.ts";
import type { RunResult } from "../../../tools/lib/run.ts";
import { unusedImages } from "../host/stage.ts";
import { type TestStack, testStack } from "../lib/stack.ts";
import { Machine } from "./machine.ts";

/** Engine's glob for everything that sets the host up, and nothing of the platform. */
const HOST_ONLY = "**autollm:host:Host**";

export const SWAP_MIB = 512;

/** What a preview tells of a resource. */
interface PreviewStep {
  readonly newState?: {
    readonly urn: string;
    readonly parent?: string;
    readonly provider?: string;
    readonly dependencies?: readonly string[];
  };
}

/** The resources of some workloads, and those that they depend on. */
export function neededBy(workloads: readonly string[], steps: readonly PreviewStep[]): string[] {
  const all = new Map(steps.flatMap(({ newState }) => (newState === undefined ? [] : [[newState.urn, newState]])));
  const ancestors = (urn: string | undefined): string[] =>
    urn === undefined ? [] : [urn, ...ancestors(all.get(urn)?.parent)];
  const roots = workloads.map((name) => `autollm:runtime:Workload::${name}`);
  const needed = new Set<string>();
  const add = (urn: string) => {
    const resource = all.get(urn);
    if (resource === undefined || needed.has(urn)) return;
    needed.add(urn);
    // A provider is named with its id behind it.
    const provider = resource.provider?.replace(/::[^:]+$/, "");
    for (const other of [...(resource.dependencies ?? []), provider, resource.parent])
      if (other !== undefined) add(other);
  };
  for (const urn of all.keys())
    if (ancestors(urn).some((ancestor) => roots.some((root) => ancestor.endsWith(root)))) add(urn);
  return [...needed];
}

/** A virtual machine and a stack for it. */
export class MachineStage {
  readonly machine: Machine;
  readonly stack: TestStack;
  /** Whom the machine lets in: root until it is set up. */
  user = "root";

  private constructor(machine: Machine, stack: TestStack) {
    this.machine = machine;
    this.stack = stack;
  }

  static async of(name: string): Promise<MachineStage> {
    const machine = await Machine.fresh(name);
    const stage = new MachineStage(machine, await testStack(name));
    // The program wants to know the images that it makes no container of at first.
    stage.#configure(unusedImages());
    await stage.stack.pulumi("stack", "select", "--create");
    return stage;
  }

  #configure(images: Readonly<Record<string, unknown>>): void {
    const { hostKey, privateKeyPath } = this.machine;
    const { address } = this.machine.login(DEPLOYER);
    const config = {
      "autollm:environment": "local",
      "autollm:bindAddress": "0.0.0.0",
      "autollm:httpPort": 80,
      "autollm:httpsPort": 443,
      "autollm:host": { address, hostKey, privateKeyPath, swapMiB: SWAP_MIB },
      ...images,
    };
    const file = join(this.stack.home, `Pulumi.${this.stack.name}.yaml`);
    writeFileSync(file, stringify({ config }), { mode: 0o600 });
  }

  /** `pulumi up` of the host alone, without the platform's containers. */
  async setUp(): Promise<RunResult> {
    const result = await this.#up([HOST_ONLY]);
    if (result.code === 0) this.user = DEPLOYER;
    return result;
  }

  /** `pulumi up` of some workloads and all that they need. */
  async carry(workloads: readonly string[]): Promise<RunResult> {
    const { source, built } = await buildStackImages();
    this.#configure({ "autollm:imageSource": source, "autollm:localImages": built });
    const { steps } = JSON.parse(await this.stack.pulumi("preview", "--json")) as { steps: readonly PreviewStep[] };
    return this.#up(neededBy(workloads, steps));
  }

  #up(targets: readonly string[]): Promise<RunResult> {
    const each = targets.flatMap((target) => ["--target", target]);
    return this.stack.autollm("pulumi", "up", "--yes", "--skip-preview", "--suppress-outputs", ...each);
  }

  /** A script's answer on the machine, run as root; a failure throws. */
  async at(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.machine.ssh(this.user, script);
    if (code !== 0) throw new Error(`on the machine: exit code ${code}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  async remove(): Promise<void> {
    // The stack goes with its machine.
    await this.machine.remove();
    rmSync(this.stack.home, { recursive: true, force: true });
  }
}
