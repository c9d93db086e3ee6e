import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { outputsOf } from "./values.ts";

/** A resource as the program registered it. */
export interface Recorded {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  /** URN; empty for the stack alone. */
  readonly parent: string;
  /** Secrets are unwrapped; `secretInputs` names them. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly secretInputs: ReadonlySet<string>;
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly secretOutputs: ReadonlySet<string>;
  readonly dependsOn: readonly string[];
  readonly provider: string;
  readonly protect: boolean;
  readonly deleteBeforeReplace: boolean;
  readonly replaceOnChanges: readonly string[];
  readonly ignoreChanges: readonly string[];
  /** Undefined where the resource has none. */
  readonly replacementTrigger: unknown;
}

export type ContainerInputs = pulumi.Unwrap<docker.ContainerArgs>;

/** The part of the engine's registration request that tests look at. */
interface Request {
  getType(): string;
  getName(): string;
  getCustom(): boolean;
  getParent(): string;
  getObject(): { toJavaScript(): Record<string, unknown> };
  getDependenciesList(): string[];
  getAdditionalsecretoutputsList(): string[];
  getProvider(): string;
  getProtect(): boolean | undefined;
  getDeletebeforereplace(): boolean;
  getReplaceonchangesList(): string[];
  getIgnorechangesList(): string[];
  getReplacementTrigger(): { toJavaScript(): unknown } | undefined;
}

interface Response {
  getUrn(): string;
}

type Callback<T> = (error: unknown, response: T) => void;

interface Monitor {
  registerResource(request: Request, callback: Callback<Response>): unknown;
  registerResourceOutputs(request: { getUrn(): string }, callback: Callback<unknown>): unknown;
}

export const CONTAINER = "docker:index/container:Container";
export const STACK = "pulumi:pulumi:Stack";
export const PROJECT = "autollm";

/** Everything that one run of a program registered. */
export class Recording {
  readonly resources: readonly Recorded[];
  /** URNs whose component called registerOutputs. */
  readonly completed: ReadonlySet<string>;
  /** The values that providers made secret. */
  readonly secretValues: readonly string[];

  constructor(resources: readonly Recorded[], completed: ReadonlySet<string>) {
    this.resources = resources;
    this.completed = completed;
    this.secretValues = resources.flatMap(({ outputs, secretOutputs }) =>
      [...secretOutputs].map((key) => outputs[key]).filter((value) => typeof value === "string"),
    );
  }

  ofType(type: string): readonly Recorded[] {
    return this.resources.filter((resource) => resource.type === type);
  }

  /** @throws when the program registered no such resource */
  find(type: string, name: string): Recorded {
    const found = this.ofType(type).find((resource) => resource.name === name);
    if (found === undefined) throw new Error(`no ${type} named ${name}`);
    return found;
  }

  /** Every container by its workload's name. */
  get containers(): readonly (readonly [string, ContainerInputs, Recorded])[] {
    return this.ofType(CONTAINER).map((each) => [each.name, each.inputs as unknown as ContainerInputs, each]);
  }

  container(name: string): ContainerInputs {
    return this.find(CONTAINER, name).inputs as unknown as ContainerInputs;
  }

  /** The files that a workload mounts, by their path below its directories. */
  files(workload: string): Readonly<Record<string, string>> {
    const writers = this.ofType("command:local:Command").filter(({ name }) =>
      [`${workload}-files`, `${workload}-live-files`].includes(name),
    );
    if (writers.length === 0) throw new Error(`${workload} has no files`);
    const lines = writers.flatMap(({ inputs }) => String(inputs.stdin).trimEnd().split("\n"));
    return Object.fromEntries(
      lines.map((line) => line.split(" ")).map(([path, text]) => [path, Buffer.from(text ?? "", "base64").toString()]),
    );
  }
}

export interface RunOptions {
  readonly stack?: string;
  /** `key` to its text, as in the stack's file. */
  readonly config?: Readonly<Record<string, string>>;
  /** The keys of `config` that are stored encrypted. */
  readonly secretKeys?: readonly string[];
}

function secretKeysOf(object: Readonly<Record<string, unknown>>): Set<string> {
  return new Set(Object.keys(object).filter((key) => pulumi.runtime.isRpcSecret(object[key]) === true));
}

/** Runs a program against mocked providers, as the engine would, and returns what it registered and what it returned. */
export async function record<T extends object>(
  program: () => Promise<T> | T,
  { stack = "test", config = {}, secretKeys = [] }: RunOptions = {},
): Promise<Recording & { readonly result: T }> {
  const resources: Recorded[] = [];
  const completed = new Set<string>();
  let current: { request: Request; outputs: Record<string, unknown> } | undefined;
  await pulumi.runtime.setMocks(
    {
      call: () => ({}),
      newResource: ({ type, name, inputs }) => {
        const given = inputs as Record<string, unknown>;
        const made = { ...given, ...outputsOf(type, name, given) };
        if (current !== undefined) current.outputs = made;
        const secret = current?.request.getAdditionalsecretoutputsList() ?? [];
        const state = Object.fromEntries(
          Object.entries(made).map(([key, value]) => [key, secret.includes(key) ? pulumi.secret(value) : value]),
        );
        return { id: `${name}-id`, state };
      },
    },
    PROJECT,
    stack,
  );
  const prefixed = (key: string) => `${PROJECT}:${key}`;
  const qualified = secretKeys.map(prefixed);
  process.env.PULUMI_CONFIG_SECRET_KEYS = JSON.stringify(qualified);
  pulumi.runtime.setAllConfig(
    Object.fromEntries(Object.entries(config).map(([key, value]) => [prefixed(key), value])),
    qualified,
  );

  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const { registerResource, registerResourceOutputs } = monitor;
  monitor.registerResource = (request, callback) => {
    const registration = { request, outputs: {} as Record<string, unknown> };
    current = registration;
    // The mock asks for the new resource before it first awaits, so `current` is this one.
    registerResource.call(monitor, request, (error, response) => {
      if (error === null) resources.push(recorded(registration.request, registration.outputs, response.getUrn()));
      callback(error, response);
    });
    current = undefined;
  };
  monitor.registerResourceOutputs = (request, callback) => {
    completed.add(request.getUrn());
    return registerResourceOutputs.call(monitor, request, callback);
  };

  // Pulumi takes a stack trace for each promise, and Vitest maps each to the source: half of the time of a run.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 1;
  const end: { result?: T; error?: unknown } = {};
  await pulumi.runtime.runInPulumiStack(async () => {
    try {
      end.result = await program();
    } catch (error) {
      // Kept until what the program registered before its fault has settled.
      end.error = error;
    }
    return {};
  });
  await pulumi.runtime.disconnect();
  Error.stackTraceLimit = stackTraceLimit;
  if (end.result === undefined) throw end.error;
  return Object.assign(new Recording(resources, completed), { result: end.result });
}

function recorded(request: Request, outputs: Record<string, unknown>, urn: string): Recorded {
  const wire = request.getObject().toJavaScript();
  const inputs = Object.fromEntries(
    Object.entries(wire).map(([key, value]) => [
      key,
      pulumi.runtime.unwrapRpcSecret(pulumi.runtime.deserializeProperty(value)),
    ]),
  );
  return {
    urn,
    type: request.getType(),
    name: request.getName(),
    custom: request.getCustom(),
    parent: request.getParent(),
    inputs,
    secretInputs: secretKeysOf(wire),
    outputs,
    secretOutputs: new Set(request.getAdditionalsecretoutputsList().filter((key) => key in outputs)),
    dependsOn: request.getDependenciesList(),
    provider: request.getProvider(),
    protect: request.getProtect() === true,
    deleteBeforeReplace: request.getDeletebeforereplace(),
    replaceOnChanges: request.getReplaceonchangesList(),
    ignoreChanges: request.getIgnorechangesList(),
    replacementTrigger: request.getReplacementTrigger()?.toJavaScript(),
  };
}
