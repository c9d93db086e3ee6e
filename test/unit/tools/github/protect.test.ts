import { randomBytes } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { github } from "../../../../tools/github/api.ts";
import { applyRules } from "../../../../tools/github/apply.ts";
import { ownersIn, type Reviewer, repositoryDifferences } from "../../../../tools/github/compare.ts";
import { codeOwners, decides, environments, rulesets, trust } from "../../../../tools/github/rules.ts";
import { run } from "../../../../tools/lib/run.ts";
import { root } from "../../../../tools/lib/workspace.ts";
import { FakeGitHub } from "./github.ts";

const reviewers: readonly Reviewer[] = [
  { type: "User", id: 11 },
  { type: "User", id: 12 },
  { type: "Team", id: 13 },
];

describe("a repository on GitHub", () => {
  let fake: FakeGitHub;
  let base: string;
  const token = randomBytes(12).toString("hex");
  const api = () => github(base, token);
  const differing = () => repositoryDifferences(api(), "o/r", reviewers);

  beforeEach(async () => {
    fake = new FakeGitHub();
    base = await fake.start();
  });
  afterEach(() => fake.stop());

  /** As the rules say, with what no API sets. */
  async function protectedRepository(): Promise<void> {
    await applyRules(api(), "o/r", reviewers, () => undefined);
    for (const each of fake.environments.values()) each.adminsBypass = false;
    fake.codeOwners = codeOwners(["ada", "o/owners"]);
    fake.writes.length = 0;
  }

  it("that nobody has protected differs in everything, and looking changes nothing", async () => {
    const found = await differing();
    for (const { name } of environments) expect(found).toContain(`environment ${name} is missing`);
    for (const { name } of rulesets) expect(found).toContain(`ruleset ${name} is missing`);
    expect(found.join("\n")).toMatch(/setting workflow token.can_approve_pull_request_reviews/);
    expect(fake.writes).toEqual([]);
  });

  it("is as the rules say once they are applied, but for what no API sets; applying again changes nothing", async () => {
    await applyRules(api(), "o/r", reviewers, () => undefined);
    const left = await differing();
    expect(left.filter((line) => !/administrators may pass by|code owners: /.test(line))).toEqual([]);
    await protectedRepository();
    expect(await differing()).toEqual([]);
    const before = JSON.stringify([...fake.environments, ...fake.rulesets, ...fake.settings]);
    await applyRules(api(), "o/r", reviewers, () => undefined);
    expect(JSON.stringify([...fake.environments, ...fake.rulesets, ...fake.settings])).toBe(before);
    expect(fake.tokens).toEqual(new Set([`Bearer ${token}`]));
  });

  it("loses the tags and branches that an earlier version let into an environment", async () => {
    await protectedRepository();
    fake.allow("production", "v*", "tag");
    fake.allow("staging", "release/*", "branch");
    expect(await differing()).toEqual([
      "environment staging: branch release/* may use it, wanted main alone",
      "environment production: tag v* may use it, wanted main alone",
    ]);
    await applyRules(api(), "o/r", reviewers, () => undefined);
    expect(await differing()).toEqual([]);
  });

  const rulesetOf = (name: string) => [...fake.rulesets.values()].find((each) => each.name === name) ?? {};
  const ruleOf = (name: string, type: string): { parameters: Record<string, unknown> } => {
    const rules = rulesetOf(name).rules as { type: string; parameters: Record<string, unknown> }[];
    return rules.find((rule) => rule.type === type) ?? { parameters: {} };
  };
  const body = (name: string) => fake.environments.get(name)?.body ?? {};
  const setting = (path: string) => fake.settings.get(`actions/permissions${path}`) ?? {};

  const deviations: readonly (readonly [string, RegExp, () => void])[] = [
    [
      "one reviewer approves a pull request",
      /main: pull_request.required_approving_review_count is 1, wanted 2/,
      () => {
        ruleOf("main", "pull_request").parameters.required_approving_review_count = 1;
      },
    ],
    [
      "no owner is asked",
      /require_code_owner_review is false/,
      () => {
        ruleOf("main", "pull_request").parameters.require_code_owner_review = false;
      },
    ],
    [
      "another app may report a check",
      /required_status_checks is .*"context":"test"\}/,
      () => {
        ruleOf("main", "required_status_checks").parameters.required_status_checks = [{ context: "test" }];
      },
    ],
    [
      "somebody passes by main's rules",
      /ruleset main.bypass_actors is .*Integration/,
      () => {
        rulesetOf("main").bypass_actors = [{ actor_id: 1, actor_type: "Integration", bypass_mode: "always" }];
      },
    ],
    [
      "the rules only watch",
      /ruleset main.enforcement is "evaluate"/,
      () => {
        rulesetOf("main").enforcement = "evaluate";
      },
    ],
    [
      "anybody makes a tag",
      /ruleset releases has no rule creation/,
      () => {
        rulesetOf("releases").rules = [{ type: "update" }, { type: "deletion" }];
      },
    ],
    [
      "the rule covers some tags",
      /releases.conditions.ref_name.include is \["refs\/tags\/v\*"\]/,
      () => {
        rulesetOf("releases").conditions = { ref_name: { include: ["refs/tags/v*"], exclude: [] } };
      },
    ],
    [
      "the bot approves",
      /can_approve_pull_request_reviews is true, wanted false/,
      () => {
        setting("/workflow").can_approve_pull_request_reviews = true;
      },
    ],
    [
      "workflows may write",
      /default_workflow_permissions is "write"/,
      () => {
        setting("/workflow").default_workflow_permissions = "write";
      },
    ],
    [
      "actions are not pinned",
      /setting actions.sha_pinning_required is false/,
      () => {
        setting("").sha_pinning_required = false;
      },
    ],
    [
      "an author approves a deployment",
      /environment production: prevent_self_review is false/,
      () => {
        body("production").prevent_self_review = false;
      },
    ],
    [
      "nobody approves a preview",
      /environment preview-production has no reviewers/,
      () => {
        body("preview-production").reviewers = [];
      },
    ],
    [
      "others approve",
      /environment production-first: reviewers is .*"id":99/,
      () => {
        body("production-first").reviewers = [{ type: "User", id: 99 }];
      },
    ],
    [
      "production does not wait",
      /environment production: wait_timer is 0, wanted 5/,
      () => {
        body("production").wait_timer = 0;
      },
    ],
    [
      "any branch deploys",
      /environment production: any branch or tag may use it/,
      () => {
        body("production").deployment_branch_policy = null;
      },
    ],
    [
      "protected branches deploy",
      /environment drift-production: any branch or tag may use it/,
      () => {
        body("drift-production").deployment_branch_policy = { protected_branches: true, custom_branch_policies: false };
      },
    ],
    [
      "a tag is called main",
      /environment staging: main may not use it[\s\S]*tag main may use it/,
      () => {
        const staging = fake.environments.get("staging");
        if (staging !== undefined) staging.policies = [{ id: 1, name: "main", type: "tag" }];
      },
    ],
    [
      "administrators pass by",
      /environment production: administrators may pass by its reviewers/,
      () => {
        const production = fake.environments.get("production");
        if (production !== undefined) production.adminsBypass = true;
      },
    ],
    [
      "a preview holds a key",
      /environment preview-staging holds the secret DEPLOY_SSH_KEY/,
      () => {
        fake.environments.get("preview-staging")?.secrets.push("DEPLOY_SSH_KEY");
      },
    ],
    [
      "every branch's jobs hold a key",
      /secret DEPLOY_SSH_KEY is the repository's/,
      () => {
        fake.secrets = ["DEPLOY_SSH_KEY"];
      },
    ],
    [
      "the organization gives a key",
      /secret DEPLOY_SSH_KEY is its organization's/,
      () => {
        fake.organizationSecrets = ["DEPLOY_SSH_KEY", "OTHER"];
      },
    ],
    [
      "an environment of before holds keys",
      /environment drift is of an earlier version/,
      () => {
        fake.environments.set("drift", { body: { reviewers: [] }, policies: [], secrets: [], adminsBypass: true });
      },
    ],
    [
      "nobody owns the rules",
      /code owners: .*is missing on the default branch/,
      () => {
        fake.codeOwners = undefined;
      },
    ],
    [
      "a path has no owner",
      /code owners: the file differs/,
      () => {
        fake.codeOwners = codeOwners(["ada"])
          .split("\n")
          .filter((line) => !line.startsWith("/.github/"))
          .join("\n");
      },
    ],
    [
      "an owner is nobody",
      /code owners: line 2 counts for nothing \(Unknown owner\)/,
      () => {
        fake.codeOwnersErrors = [
          { line: 2, column: 1, kind: "Unknown owner", message: "m", path: ".github/CODEOWNERS" },
        ];
      },
    ],
    [
      "merges leave a line of commits",
      /setting repository.allow_merge_commit is true/,
      () => {
        fake.repository = { ...fake.repository, allow_merge_commit: true };
      },
    ],
  ];

  it.each(deviations)("is told where %s", async (_, words, change) => {
    await protectedRepository();
    change();
    const found = (await differing()).join("\n");
    expect(found).toMatch(words);
    expect(fake.writes).toEqual([]);
  });

  describe("by the command", () => {
    const command = (...args: readonly string[]) =>
      run("tools/github/protect.sh", args, {
        cwd: root,
        env: { GITHUB_API_URL: base, GH_TOKEN: token },
        allowFailure: true,
      });

    it("--check ends with 0 where nothing differs, with 2 and a line for each difference, and never writes", async () => {
      await protectedRepository();
      expect(await command("--check", "o/r")).toMatchObject({ code: 0, stdout: "" });
      fake.allow("production", "v*", "tag");
      setting("/workflow").can_approve_pull_request_reviews = true;
      const { code, stdout } = await command("--check", "o/r");
      expect(code).toBe(2);
      expect(stdout.trim().split("\n")).toEqual([
        "environment production: tag v* may use it, wanted main alone",
        "setting workflow token.can_approve_pull_request_reviews is true, wanted false",
      ]);
      expect(fake.writes).toEqual([]);
    }, 60_000);

    it("asks for three people, and for names that GitHub knows, before it changes anything", async () => {
      expect(await command("o/r", "ada", "bob")).toMatchObject({ code: 64 });
      expect(await command("o/r", "ada", "ada", "ada")).toMatchObject({ code: 64 });
      expect((await command("o/r", "ada", "bob", "nobody")).stderr).toMatch(/GitHub knows no user nobody/);
      expect((await command("--check", "o/other")).stderr).toMatch(/GitHub shows no repository o\/other/);
      expect(fake.writes).toEqual([]);
    }, 60_000);
  });
});

describe("the code owners", () => {
  const text = readFileSync(join(root, ".github", "CODEOWNERS"), "utf8");

  it("are asked about every path of the table", () => expect(text).toBe(codeOwners(ownersIn(text))));

  it.each(decides.map(({ path }) => path))("%s is there", (path) => {
    const there = path.slice(1);
    expect(existsSync(join(root, there)) || globSync(there, { cwd: root }).length > 0).toBe(true);
  });
});

describe("whom Pulumi Cloud trusts", () => {
  const policies = trust("o/r", "org", "readers") as readonly {
    decision: string;
    tokenType: string;
    rules: Record<string, string>;
  }[];

  it("is one environment for each policy, never a branch or the whole repository", () => {
    const subjects = policies.map(({ rules }) => rules.sub ?? "");
    for (const subject of subjects) expect(subject).toMatch(/^repo:o\/r:environment:[a-z-]+$/);
    const known = environments.map(({ name }) => `repo:o/r:environment:${name}`);
    expect(subjects.filter((subject) => !known.includes(subject))).toEqual([]);
    expect(policies.every(({ rules }) => rules.aud === "urn:pulumi:org:org")).toBe(true);
  });

  it("is a workflow of main where the token may change a stack", () => {
    const changing = policies.filter(({ tokenType }) => tokenType === "organization");
    expect(changing.map(({ rules }) => rules.job_workflow_ref)).toEqual([
      "o/r/.github/workflows/deploy-staging.yml@refs/heads/main",
      "o/r/.github/workflows/deploy-production.yml@refs/heads/main",
    ]);
    for (const { rules } of policies.filter((each) => !changing.includes(each)))
      expect(rules.sub).toMatch(/environment:(drift|preview)-/);
  });
});
