/**
 * What the repository on GitHub must be like, as data: `protect.ts` makes it so, and compares. Field names are those of GitHub's
 * REST API (version 2022-11-28). The reasons are in docs/decisions.md, "Two people".
 */

/** Stacks that workflows deploy. Each has environments, and a key, of its own. */
export const deployedStacks = ["staging", "production"] as const;

export interface EnvironmentRule {
  readonly name: string;
  /** Whether one of the reviewers must approve a job, who has not started it. */
  readonly reviewed: boolean;
  /** Branches whose jobs may use it; no tag is among them. `any` is for pull requests, whose code nobody has reviewed yet. */
  readonly from: "main" | "any";
  /** Minutes between the approval and the job. */
  readonly wait: number;
  /** Secrets that its jobs use. */
  readonly secrets: readonly string[];
}

const KEY = "DEPLOY_SSH_KEY";
const SLACK = "SLACK_WEBHOOK_URL";

export const environments: readonly EnvironmentRule[] = [
  // A pull request's code runs here: no key at all, and a token that changes nothing.
  ...deployedStacks.map(
    (stack): EnvironmentRule => ({ name: `preview-${stack}`, reviewed: true, from: "any", wait: 0, secrets: [] }),
  ),
  { name: "staging", reviewed: false, from: "main", wait: 0, secrets: [KEY, SLACK] },
  // GitHub asks one reviewer of an environment: so production has two, and the job counts the people.
  { name: "production-first", reviewed: true, from: "main", wait: 0, secrets: [] },
  { name: "production", reviewed: true, from: "main", wait: 5, secrets: [KEY, SLACK] },
  ...deployedStacks.map(
    (stack): EnvironmentRule => ({
      name: `drift-${stack}`,
      reviewed: false,
      from: "main",
      wait: 0,
      secrets: [KEY, SLACK],
    }),
  ),
  {
    name: "images",
    reviewed: false,
    from: "main",
    wait: 0,
    secrets: ["APPLICATION_READ_KEY", "IMAGE_REGISTRY_PASSWORD"],
  },
];

/** Environments of earlier versions, whose secrets would lie about. */
export const formerEnvironments = ["preview", "drift"] as const;

export interface Rule {
  readonly type: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
}
export interface Ruleset {
  readonly name: string;
  readonly target: "branch" | "tag";
  readonly enforcement: "active";
  readonly bypass_actors: readonly { actor_id: number; actor_type: string; bypass_mode: string }[];
  readonly conditions: {
    readonly ref_name: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  };
  readonly rules: readonly Rule[];
}

/** The GitHub App behind Actions: a check of that name which somebody else reports does not count. */
const ACTIONS_APP = 15_368;
/** The repository role "admin". */
const ADMIN_ROLE = 5;

export const rulesets: readonly Ruleset[] = [
  {
    name: "main",
    target: "branch",
    enforcement: "active",
    bypass_actors: [],
    conditions: { ref_name: { include: ["~DEFAULT_BRANCH"], exclude: [] } },
    rules: [
      { type: "deletion" },
      { type: "non_fast_forward" },
      { type: "required_linear_history" },
      {
        type: "pull_request",
        parameters: {
          required_approving_review_count: 2,
          dismiss_stale_reviews_on_push: true,
          require_code_owner_review: true,
          require_last_push_approval: true,
          required_review_thread_resolution: true,
        },
      },
      {
        type: "required_status_checks",
        parameters: {
          strict_required_status_checks_policy: true,
          required_status_checks: ["test", "workflows", "secrets", "end-to-end"].map((context) => ({
            context,
            integration_id: ACTIONS_APP,
          })),
        },
      },
    ],
  },
  {
    // No workflow runs for a tag and no environment takes one. A tag names a version for people, so it stays what it is.
    name: "releases",
    target: "tag",
    enforcement: "active",
    bypass_actors: [{ actor_id: ADMIN_ROLE, actor_type: "RepositoryRole", bypass_mode: "always" }],
    conditions: { ref_name: { include: ["~ALL"], exclude: [] } },
    rules: [{ type: "creation" }, { type: "update" }, { type: "deletion" }],
  },
];

export interface Setting {
  readonly name: string;
  /** Below repos/OWNER/REPO; empty for the repository itself. */
  readonly path: string;
  readonly method: "PUT" | "PATCH";
  readonly value: Readonly<Record<string, unknown>>;
}

export const settings: readonly Setting[] = [
  {
    name: "actions",
    path: "actions/permissions",
    method: "PUT",
    value: { enabled: true, allowed_actions: "all", sha_pinning_required: true },
  },
  {
    // One switch lets workflows open pull requests and approve them. A branch's own workflow could approve that branch.
    name: "workflow token",
    path: "actions/permissions/workflow",
    method: "PUT",
    value: { default_workflow_permissions: "read", can_approve_pull_request_reviews: false },
  },
  {
    name: "workflows of forks",
    path: "actions/permissions/fork-pr-contributor-approval",
    method: "PUT",
    value: { approval_policy: "all_external_contributors" },
  },
  {
    name: "repository",
    path: "",
    method: "PATCH",
    value: {
      delete_branch_on_merge: true,
      allow_merge_commit: false,
      security_and_analysis: {
        secret_scanning: { status: "enabled" },
        secret_scanning_push_protection: { status: "enabled" },
      },
    },
  },
];

/** What decides about who may do what, and what runs: each change of it wants one of the owners. Patterns of CODEOWNERS. */
export const decides = [
  { path: "/.github/", why: "workflows, and this file" },
  { path: "/tools/github/", why: "these rules" },
  { path: "/tools/lib/", why: "the commands that hold keys and locks" },
  { path: "/tools/cli/", why: "the commands" },
  { path: "/tools/bootstrap/engine/", why: "how the engine is built" },
  { path: "/policies/", why: "what no stack may contain" },
  { path: "/components/host/", why: "what runs as root on the hosts" },
  { path: "/components/credentials/", why: "who gets which secret" },
  { path: "/components/platform/", why: "who reaches whom" },
  { path: "/components/images.ts", why: "which images run" },
  { path: "/Pulumi*.yaml", why: "what the stacks run" },
  { path: "/package.json", why: "which packages, and their scripts" },
  { path: "/package-lock.json", why: "which packages" },
  { path: "/.npmrc", why: "how packages are installed" },
] as const;

/** The file .github/CODEOWNERS. */
export function codeOwners(owners: readonly string[]): string {
  const names = owners.map((owner) => `@${owner}`).join(" ");
  const width = Math.max(...decides.map(({ path }) => path.length));
  return [
    "# Written by tools/github/protect.sh from tools/github/rules.ts. Each owner needs write access, or GitHub ignores the line.",
    ...decides.map(({ path }) => `${path.padEnd(width)} ${names}`),
    "",
  ].join("\n");
}

/** The workflow that a token of an environment is for. */
const tokenUse = [
  ...deployedStacks.map((stack) => ({
    environment: stack as string,
    workflows: [`deploy-${stack}.yml`],
    changes: true,
  })),
  ...deployedStacks.map((stack) => ({
    environment: `drift-${stack}`,
    workflows: ["drift.yml", "rotate.yml"],
    changes: false,
  })),
  // Any branch's copy of it may run: the environment is what is trusted, and that has reviewers.
  ...deployedStacks.map((stack) => ({ environment: `preview-${stack}`, workflows: [], changes: false })),
];

/**
 * Whom Pulumi Cloud trusts, as the policies of its OIDC issuer for GitHub: one environment and one workflow of main each. Who only
 * looks gets a token of a team that may read stacks, not the organization's.
 */
export function trust(repository: string, organization: string, team: string): readonly object[] {
  return tokenUse.flatMap(({ environment, workflows, changes }) => {
    const rules = {
      aud: `urn:pulumi:org:${organization}`,
      sub: `repo:${repository}:environment:${environment}`,
    };
    const token = changes ? { tokenType: "organization" } : { tokenType: "team", teamName: team };
    if (workflows.length === 0) return [{ decision: "allow", ...token, rules }];
    return workflows.map((workflow) => ({
      decision: "allow",
      ...token,
      rules: { ...rules, job_workflow_ref: `${repository}/.github/workflows/${workflow}@refs/heads/main` },
    }));
  });
}
