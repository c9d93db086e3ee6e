import {
  type ResourceValidationArgs,
  type ResourceValidationPolicy,
  type StackValidationPolicy,
  unknownCheckingProxy,
} from "@pulumi/policy";
import { describe, expect, it } from "vitest";
import { toPolicies } from "../../policies/lib/pack.ts";
import type { Props, Value } from "../../policies/lib/value.ts";
import { rules } from "../../policies/rules/index.ts";
import { container, filesOf } from "./fixtures.ts";

/** What the engine puts where a text will only be known later; the SDK throws when a policy touches it. */
const UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const policies = toPolicies(rules);

async function report(type: string, name: string, props: Props): Promise<readonly string[]> {
  const messages: string[] = [];
  for (const policy of policies) {
    if (!("validateResource" in policy)) continue;
    const args = { type, name, urn: `urn:${name}`, props: unknownCheckingProxy(props), opts: { protect: false } };
    const validate = (policy as ResourceValidationPolicy).validateResource;
    if (typeof validate !== "function") throw new Error("one function per policy");
    await validate(args as unknown as ResourceValidationArgs, (message) => messages.push(`${policy.name}: ${message}`));
  }
  return messages;
}

const paths = (value: Value, path: readonly string[] = []): readonly (readonly string[])[] =>
  typeof value !== "object" || value === null
    ? [path]
    : [
        ...(path.length > 0 ? [path] : []),
        ...Object.entries(value).flatMap(([key, inner]) => paths(inner, [...path, key])),
      ];

function withUnknownAt(value: Value, path: readonly string[]): Value {
  const [key, ...rest] = path;
  if (key === undefined) return UNKNOWN_TEXT;
  if (Array.isArray(value))
    return value.map((inner, index) => (String(index) === key ? withUnknownAt(inner, rest) : inner));
  return { ...(value as Props), [key]: withUnknownAt((value as Props)[key], rest) };
}

describe("what is unknown in a preview", () => {
  const compliant = container();
  it.each(paths(compliant.props).map((path) => [path.join("."), path] as const))("%s is no fault", async (_, path) => {
    const props = withUnknownAt(compliant.props, path) as Props;
    expect(await report(compliant.type, compliant.name, props)).toEqual([]);
  });

  it("hides no fault beside it", async () => {
    const props = {
      ...compliant.props,
      privileged: true,
      envs: [UNKNOWN_TEXT, "POSTGRES_PASSWORD=changeme"],
      mounts: UNKNOWN_TEXT,
    };
    const found = (await report(compliant.type, compliant.name, props)).map((line) => line.split(":")[0]);
    expect(found).toContain("container-not-privileged");
    expect(found).toContain("credential-not-default");
  });
});

it("a violation names the resource, the key and the fix in one sentence", async () => {
  const { type, name, props } = filesOf("redis", { "run-secrets/redis": "devredis" });
  expect(await report(type, name, props)).toContain(
    'credential-not-default: Command "redis-files": stdin file run-secrets/redis holds a known default credential; generate a credential, or supply your own with: ./autollm pulumi config set --secret NAME.',
  );
});

it("the stack's rules take the SDK's resources", async () => {
  const { type, name, urn, props } = container({ labels: { "autollm.credentials": "jwt" } });
  const element = {
    type,
    name,
    urn,
    props: unknownCheckingProxy(props),
    opts: { protect: false },
    dependencies: [],
    propertyDependencies: {},
  };
  const messages: string[] = [];
  for (const policy of policies) {
    if (!("validateStack" in policy)) continue;
    const args = { resources: [element] } as unknown as Parameters<StackValidationPolicy["validateStack"]>[0];
    await policy.validateStack(args, (message, at) => messages.push(`${policy.name}: ${message} ${at}`));
  }
  expect(messages).toContain(
    `credential-grants: Container "redis": labels autollm.credentials has jwt, which redis is not granted; remove it from the workload, or grant it in components/credentials. ${urn}`,
  );
});
