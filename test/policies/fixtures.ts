import { randomBytes } from "node:crypto";
import {
  message,
  type ResourceRule,
  type StackRule,
  type StackSubject,
  type Subject,
} from "../../policies/lib/rule.ts";
import { CONTAINER, NETWORK, RANDOM_PASSWORD } from "../../policies/lib/types.ts";
import type { Props, Value } from "../../policies/lib/value.ts";
import { rules } from "../../policies/rules/index.ts";

const DIGEST = `sha256:${"4b".repeat(32)}`;

/** A secret as the stack makes them. */
export const secret = (bytes = 24) => randomBytes(bytes).toString("base64url");

/** A resource of a type, as the engine would show it to a policy. */
export function resource(type: string, props: Props, facts: Partial<Subject> = {}): Subject {
  const name = facts.name ?? "redis";
  return { type, name, urn: `urn:pulumi:test::autollm::${type}::${name}`, props, protect: false, ...facts };
}

export const labelsOf = (labels: Readonly<Record<string, string>>): Value =>
  Object.entries(labels).map(([label, value]) => ({ label, value }));

const labels = {
  "autollm.credentials": "redis-backup",
  "autollm.deploy": "recreate",
  "autollm.environment": "production",
  "autollm.image": `redis:8.10.2-alpine@${DIGEST}`,
  "autollm.segments": "data",
  "autollm.service": "redis",
};

const directory = `/var/lib/autollm/files/redis-files-${"0a".repeat(8)}`;

const compliant: Props = {
  image: DIGEST,
  entrypoints: ["redis-server"],
  command: ["/etc/autollm/redis.conf"],
  user: "999:1000",
  envs: ["TZ=UTC", "REDIS_PASSWORD_FILE=/run/secrets/redis"],
  readOnly: true,
  privileged: false,
  capabilities: { drops: ["ALL"], adds: [] },
  securityOpts: ["no-new-privileges:true"],
  networkMode: "bridge",
  networksAdvanced: [{ name: "segment-data-1a2b3c4", aliases: ["redis"] }],
  mounts: [
    { type: "bind", source: `${directory}/run-secrets`, target: "/run/secrets", readOnly: true },
    { type: "volume", source: "redis-data-1a2b3c4", target: "/data", readOnly: false },
  ],
  memory: 512,
  memorySwap: 512,
  cpuShares: 1024,
  restart: "unless-stopped",
  logDriver: "json-file",
  logOpts: { "max-size": "10m", "max-file": "3" },
  healthcheck: { tests: ["CMD", "redis-cli", "ping"], interval: "5s" },
};

interface ContainerChange {
  readonly props?: Props;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A container that no rule finds fault with, but for what is changed. */
export function container(change: ContainerChange = {}, facts: Partial<Subject> = {}): Subject {
  const all = { ...labels, ...change.labels };
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
  const name = change.labels?.["autollm.service"] ?? "redis";
  return resource(CONTAINER, { ...compliant, labels: labelsOf(kept), ...change.props }, { name, ...facts });
}

/** A command's stdin that writes files. */
export function stdin(files: Readonly<Record<string, string>>): string {
  return Object.entries(files)
    .map(([path, content]) => `${path} ${Buffer.from(content).toString("base64")}\n`)
    .join("");
}

/** The command that writes the files of a workload. */
export function filesOf(service: string, files: Readonly<Record<string, string>>): Subject {
  const path = directory.replace("redis", service);
  return resource(
    "command:local:Command",
    { create: `set -eu\nbase='/var/lib/autollm/files' dir='${path}'`, delete: `rm -rf '${path}'`, stdin: stdin(files) },
    { name: `${service}-files` },
  );
}

export const command = (props: Props): Subject => resource("command:local:Command", props, { name: "step" });

/** A resource as the rules for the whole stack see it. */
export function inStack(subject: Subject, dependencies: readonly StackSubject[] = []): StackSubject {
  const networksAdvanced = dependencies.filter(({ type }) => type === NETWORK);
  return { ...subject, dependencies, propertyDependencies: { networksAdvanced } };
}

export const network = (segment: string): StackSubject =>
  inStack(
    resource(
      NETWORK,
      { name: `segment-${segment}-1a2b3c4`, internal: segment !== "egress" },
      { name: `segment-${segment}` },
    ),
  );

export const password = (name: string, result: string, props: Props = {}): StackSubject =>
  inStack(resource(RANDOM_PASSWORD, { length: result.length, result, ...props }, { name }));

function rule(name: string) {
  const found = rules.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no rule is called ${name}`);
  return found;
}

/** What a rule for one resource says of it. */
export async function verdict(name: string, subject: Subject): Promise<readonly string[]> {
  const found = rule(name) as ResourceRule;
  if (found.types !== "every" && !found.types.includes(subject.type)) return [];
  return [...(await found.check(subject))].map((finding) => message(found, subject, finding));
}

/** What a rule for the whole stack says of it. */
export function stackVerdict(name: string, subjects: readonly StackSubject[]): readonly string[] {
  const found = rule(name) as StackRule;
  return [...found.checkStack(subjects)].map((finding) => message(found, finding.subject, finding));
}

/** What all rules for one resource say of it. */
export async function verdicts(subject: Subject): Promise<readonly string[]> {
  const resourceRules = rules.filter((candidate) => !("checkStack" in candidate));
  return (await Promise.all(resourceRules.map(({ name }) => verdict(name, subject)))).flat();
}
