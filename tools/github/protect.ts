import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, DIFFERS, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { run } from "../lib/run.ts";
import { root } from "../lib/workspace.ts";
import { type GitHub, github } from "./api.ts";
import { applyRules } from "./apply.ts";
import { type Reviewer, repositoryDifferences } from "./compare.ts";
import { codeOwners, trust } from "./rules.ts";

/** Two who approve, and one who starts it. */
const PEOPLE = 3;
/** GitHub takes no more for an environment. */
const MOST = 6;

async function token(): Promise<string> {
  const { GH_TOKEN: given } = process.env;
  if (given !== undefined && given !== "") return given;
  const { code, stdout } = await run("gh", ["auth", "token"], { allowFailure: true }).catch(() => ({
    code: 1,
    stdout: "",
  }));
  if (code !== 0) throw new UserError("log in with gh as an administrator of the repository, or set GH_TOKEN");
  return stdout.trim();
}

async function reviewerOf(api: GitHub, name: string): Promise<Reviewer> {
  const [first = "", team] = name.split("/");
  const found = await api.get<{ id: number }>(team === undefined ? `users/${first}` : `orgs/${first}/teams/${team}`);
  if (found === undefined) throw new UserError(`GitHub knows no ${team === undefined ? "user" : "team"} ${name}`);
  return { type: team === undefined ? "User" : "Team", id: found.id };
}

await command(
  {
    usage: "[--check] OWNER/REPO REVIEWER REVIEWER REVIEWER... | --trust ORGANIZATION/TEAM OWNER/REPO",
    about: `Makes the repository on GitHub what tools/github/rules.ts says: environments, reviewers, branch and tag rules, settings; and
writes .github/CODEOWNERS, which is yours to commit. It can be repeated after a change.

The token of an administrator of the repository comes from GH_TOKEN, or from gh. On a private repository GitHub wants a plan with
protection rules for environments.`,
    words: {
      REVIEWER:
        "a user, or ORG/TEAM; at least three, or a team: one starts a deployment to production, and two others approve it; --check takes none, too",
    },
    differs: "--check finds a difference",
    positionals: true,
    options: {
      check: { type: "boolean", says: "change nothing, and name each difference" },
      trust: {
        type: "string",
        value: "ORGANIZATION/TEAM",
        says: "print the policies for Pulumi Cloud's OIDC issuer of GitHub; the team is one that may only read stacks",
      },
    },
    changes: "nothing",
  },
  async ({ check, trust: team }, [repository = "", ...names]) => {
    if (!/^[\w.-]+\/[\w.-]+$/.test(repository)) throw new UserError(`name the repository as OWNER/REPO`, USAGE);
    const wrong = names.find((name) => !/^[A-Za-z0-9-]+(\/[\w.-]+)?$/.test(name));
    if (wrong !== undefined) throw new UserError(`"${wrong}" is neither a user nor ORG/TEAM`, USAGE);
    if (team !== undefined) {
      const [organization = "", name = ""] = team.split("/");
      if (organization === "" || name === "")
        throw new UserError("--trust wants ORGANIZATION/TEAM of Pulumi Cloud", USAGE);
      process.stdout.write(`${JSON.stringify(trust(repository, organization, name), null, 2)}\n`);
      return 0;
    }
    const people = names.some((name) => name.includes("/")) ? PEOPLE : new Set(names).size;
    if (check !== true && (people < PEOPLE || names.length > MOST))
      throw new UserError(`name ${PEOPLE} to ${MOST} reviewers, or a team among them`, USAGE);
    const api = github(process.env.GITHUB_API_URL ?? "https://api.github.com", await token());
    if ((await api.get(`repos/${repository}`)) === undefined)
      throw new UserError(`GitHub shows no repository ${repository} to this token`);
    const reviewers = await Promise.all(names.map((name) => reviewerOf(api, name)));
    if (check !== true) {
      await applyRules(api, repository, reviewers, say);
      writeFileSync(join(root, ".github", "CODEOWNERS"), codeOwners(names));
      say("code owners: .github/CODEOWNERS is written; commit it");
    }
    const differing = await repositoryDifferences(api, repository, reviewers);
    for (const line of differing) process.stdout.write(`${line}\n`);
    say(differing.length === 0 ? `${repository} is as the rules say` : `differences: ${differing.length}`);
    return differing.length === 0 ? 0 : DIFFERS;
  },
).run("tools/github/protect.sh", process.argv.slice(2));
