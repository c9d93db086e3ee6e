import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { Made } from "./made.ts";

/** A container as the stack's program declares it. */
export type ContainerInputs = pulumi.Unwrap<docker.ContainerArgs>;

/** A script that the program would have the engine run. */
interface Script {
  readonly create: string;
  readonly stdin: string;
}

/** What the stack's program declares, with values made for the time of a check. */
export interface Plan {
  readonly containers: ReadonlyMap<string, ContainerInputs>;
  readonly scripts: ReadonlyMap<string, Script>;
  /** References of images, by the resource's name. */
  readonly images: ReadonlyMap<string, string>;
}

export interface PlanArgs {
  readonly stack: string;
  /** `key` to its text, as in a stack's file. */
  readonly config: Readonly<Record<string, string>>;
  /** Values of supplied credentials, by name. */
  readonly supplied: ReadonlyMap<string, string>;
  /** The id of an image by the name of its resource, where it is not the reference itself. */
  readonly imageIds: ReadonlyMap<string, string>;
  /** What a script of the program prints, for those whose answer the program uses; undefined for any other. */
  readonly answer: (name: string, script: Script) => Promise<string | undefined>;
}

const PROJECT = "autollm";

/** Values as the program gave them: the engine's mark of a secret is taken off. */
const plain = (inputs: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, pulumi.runtime.unwrapRpcSecret(value)]));

/**
 * Runs the stack's own program without an engine, and writes down what it declares: so a check starts containers by what the
 * stack says, and not by a second description of it. Once in a process, as the program works when it is loaded.
 * @throws for a config that the program refuses
 */
export async function makePlan(args: PlanArgs): Promise<Plan> {
  const containers = new Map<string, ContainerInputs>();
  const scripts = new Map<string, Script>();
  const images = new Map<string, string>();
  const made = new Made();
  const outputs = async (type: string, name: string, inputs: Record<string, unknown>) => {
    switch (type) {
      case "docker:index/container:Container":
        containers.set(name, inputs as unknown as ContainerInputs);
        return { name };
      case "docker:index/network:Network":
      case "docker:index/volume:Volume":
        return { name };
      case "docker:index/remoteImage:RemoteImage":
        images.set(name, String(inputs.name));
        return { imageId: args.imageIds.get(name) ?? String(inputs.name) };
      case "command:local:Command": {
        const script = { create: String(inputs.create), stdin: String(inputs.stdin ?? "") };
        scripts.set(name, script);
        return { stdout: (await args.answer(name, script)) ?? "", stderr: "" };
      }
      default:
        return made.outputs(type, inputs) ?? {};
    }
  };
  await pulumi.runtime.setMocks(
    {
      call: () => ({}),
      newResource: async ({ type, name, inputs }) => {
        const given = plain(inputs as Record<string, unknown>);
        return { id: `${name}-id`, state: { ...given, ...(await outputs(type, name, given)) } };
      },
    },
    PROJECT,
    args.stack,
  );
  const qualified = (key: string) => `${PROJECT}:${key}`;
  const secretKeys = [...args.supplied.keys()].map(qualified);
  process.env.PULUMI_CONFIG_SECRET_KEYS = JSON.stringify(secretKeys);
  const config = { ...args.config, ...Object.fromEntries(args.supplied) };
  pulumi.runtime.setAllConfig(
    Object.fromEntries(Object.entries(config).map(([key, value]) => [qualified(key), value])),
    secretKeys,
  );
  let fault: unknown;
  await pulumi.runtime.runInPulumiStack(async () => {
    try {
      await import("../../index.ts");
    } catch (error) {
      // Kept until what the program declared before has settled.
      fault = error;
    }
    return {};
  });
  await pulumi.runtime.disconnect();
  if (fault !== undefined) throw fault;
  return { containers, scripts, images };
}
