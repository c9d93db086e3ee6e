import type { GitHub } from "./api.ts";
import {
  codeOwners,
  decides,
  type EnvironmentRule,
  environments,
  formerEnvironments,
  type Ruleset,
  rulesets,
  settings,
} from "./rules.ts";

/** A person or a team that may approve. */
export interface Reviewer {
  readonly type: "User" | "Team";
  readonly id: number;
}

interface ActualEnvironment {
  readonly protection_rules?: readonly {
    readonly type: string;
    readonly wait_timer?: number;
    readonly prevent_self_review?: boolean;
    readonly reviewers?: readonly { readonly type: string; readonly reviewer: { readonly id: number } }[];
  }[];
  readonly deployment_branch_policy?: {
    readonly protected_branches: boolean;
    readonly custom_branch_policies: boolean;
  } | null;
  readonly can_admins_bypass?: boolean;
}
export interface BranchPolicy {
  readonly id: number;
  readonly name: string;
  /** Absent in answers of older servers, which know branches only. */
  readonly type?: string;
}

/** Differences of a value from what is wanted, by path. What is there beyond the wanted keys does not count. */
export function differences(wanted: unknown, actual: unknown, path: string): string[] {
  if (Array.isArray(wanted)) {
    const same = Array.isArray(actual) && JSON.stringify(sorted(wanted)) === JSON.stringify(sorted(actual));
    return same ? [] : [`${path} is ${JSON.stringify(actual)}, wanted ${JSON.stringify(wanted)}`];
  }
  if (typeof wanted === "object" && wanted !== null) {
    const there = (actual ?? {}) as Record<string, unknown>;
    return Object.entries(wanted).flatMap(([key, value]) => differences(value, there[key], `${path}.${key}`));
  }
  return wanted === actual
    ? []
    : [`${path} is ${JSON.stringify(actual) ?? "not set"}, wanted ${JSON.stringify(wanted)}`];
}

const sortKeys = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
const sorted = (list: readonly unknown[]) => list.map((each) => JSON.stringify(sortKeys(each))).sort();

/** The branches and tags that may use an environment, where it names them. */
export async function branchPolicies(api: GitHub, environment: string): Promise<readonly BranchPolicy[]> {
  const path = `${environment}/deployment-branch-policies?per_page=100`;
  return (await api.get<{ branch_policies: readonly BranchPolicy[] }>(path))?.branch_policies ?? [];
}

export const isMain = ({ name, type = "branch" }: BranchPolicy) => name === "main" && type === "branch";

async function secretNames(api: GitHub, path: string): Promise<readonly string[]> {
  const found = await api.get<{ secrets: readonly { name: string }[] }>(`${path}?per_page=100`);
  return (found?.secrets ?? []).map(({ name }) => name);
}

async function environmentDifferences(
  api: GitHub,
  repo: string,
  rule: EnvironmentRule,
  reviewers: readonly Reviewer[],
): Promise<string[]> {
  const at = `environment ${rule.name}`;
  const path = `${repo}/environments/${rule.name}`;
  const actual = await api.get<ActualEnvironment>(path);
  if (actual === undefined) return [`${at} is missing`];
  const found: string[] = [];
  const rules = actual.protection_rules ?? [];
  const review = rules.find(({ type }) => type === "required_reviewers");
  if (rule.reviewed) {
    if ((review?.reviewers ?? []).length === 0) found.push(`${at} has no reviewers`);
    found.push(...differences(true, review?.prevent_self_review, `${at}: prevent_self_review`));
    const actualIds = (review?.reviewers ?? []).map(({ type, reviewer }) => ({ type, id: reviewer.id }));
    if (reviewers.length > 0) found.push(...differences(reviewers, actualIds, `${at}: reviewers`));
    if (actual.can_admins_bypass !== false)
      found.push(`${at}: administrators may pass by its reviewers; take that away in its settings, no API does it`);
  }
  const wait = rules.find(({ type }) => type === "wait_timer")?.wait_timer ?? 0;
  found.push(...differences(rule.wait, wait, `${at}: wait_timer`));
  if (rule.from === "main") {
    const chosen = { protected_branches: false, custom_branch_policies: true };
    if (differences(chosen, actual.deployment_branch_policy, "").length > 0)
      found.push(`${at}: any branch or tag may use it, wanted main alone`);
    const policies = await branchPolicies(api, path);
    if (!policies.some(isMain)) found.push(`${at}: main may not use it`);
    for (const policy of policies.filter((each) => !isMain(each)))
      found.push(`${at}: ${policy.type ?? "branch"} ${policy.name} may use it, wanted main alone`);
  }
  for (const name of await secretNames(api, `${path}/secrets`))
    if (!rule.secrets.includes(name)) found.push(`${at} holds the secret ${name}, which no job there needs`);
  return found;
}

interface ActualRuleset extends Omit<Ruleset, "rules"> {
  readonly rules: readonly { readonly type: string; readonly parameters?: unknown }[];
}

export async function rulesetIds(api: GitHub, repo: string): Promise<ReadonlyMap<string, number>> {
  const all = await api.get<{ id: number; name: string }[]>(`${repo}/rulesets?includes_parents=false&per_page=100`);
  return new Map((all ?? []).map(({ id, name }) => [name, id]));
}

async function rulesetDifferences(
  api: GitHub,
  repo: string,
  wanted: Ruleset,
  ids: ReadonlyMap<string, number>,
): Promise<string[]> {
  const at = `ruleset ${wanted.name}`;
  const id = ids.get(wanted.name);
  const actual = id === undefined ? undefined : await api.get<ActualRuleset>(`${repo}/rulesets/${id}`);
  if (actual === undefined) return [`${at} is missing`];
  const { rules, ...rest } = wanted;
  return [
    ...differences(rest, { ...actual, bypass_actors: actual.bypass_actors ?? [] }, at),
    ...rules.flatMap(({ type, parameters }) => {
      const rule = actual.rules.find((each) => each.type === type);
      if (rule === undefined) return [`${at} has no rule ${type}`];
      return parameters === undefined ? [] : differences(parameters, rule.parameters, `${at}: ${type}`);
    }),
  ];
}

async function codeOwnersDifferences(api: GitHub, repo: string): Promise<string[]> {
  const file = await api.get<{ content: string }>(`${repo}/contents/.github/CODEOWNERS`);
  if (file === undefined) return ["code owners: .github/CODEOWNERS is missing on the default branch"];
  const text = Buffer.from(file.content, "base64").toString();
  const { errors = [] } =
    (await api.get<{ errors: { line: number; kind: string }[] }>(`${repo}/codeowners/errors`)) ?? {};
  // Without a message: that may hold what others wrote.
  const faults = errors.map(({ line, kind }) => `code owners: line ${line} counts for nothing (${kind})`);
  const same = text === codeOwners(ownersIn(text));
  return [...faults, ...(same ? [] : [`code owners: the file differs from the table of ${decides.length} paths`])];
}

/** The owners that a CODEOWNERS of ours names. */
export function ownersIn(text: string): string[] {
  const line = text.split("\n").find((each) => each.startsWith("/")) ?? "";
  return [...line.matchAll(/@(\S+)/g)].map(([, name = ""]) => name);
}

/** Everything in which a repository differs from the rules, each by its name. An empty list means none. */
export async function repositoryDifferences(
  api: GitHub,
  repository: string,
  reviewers: readonly Reviewer[],
): Promise<string[]> {
  const repo = `repos/${repository}`;
  const found: string[] = [];
  for (const rule of environments) found.push(...(await environmentDifferences(api, repo, rule, reviewers)));
  for (const name of formerEnvironments)
    if ((await api.get(`${repo}/environments/${name}`)) !== undefined)
      found.push(`environment ${name} is of an earlier version: remove it, and its secrets with it`);
  // A secret of the repository or of its organization goes to the jobs of any branch.
  const secret = new Set(environments.flatMap(({ secrets }) => secrets));
  for (const [owner, path] of [
    ["the repository", "actions/secrets"],
    ["its organization", "actions/organization-secrets"],
  ])
    for (const name of await secretNames(api, `${repo}/${path}`))
      if (secret.has(name)) found.push(`secret ${name} is ${owner}'s, wanted in environments alone`);
  const ids = await rulesetIds(api, repo);
  for (const wanted of rulesets) found.push(...(await rulesetDifferences(api, repo, wanted, ids)));
  for (const { name, path, value } of settings)
    found.push(...differences(value, await api.get(path === "" ? repo : `${repo}/${path}`), `setting ${name}`));
  found.push(...(await codeOwnersDifferences(api, repo)));
  return found;
}
