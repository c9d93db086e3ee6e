import type { GitHub } from "./api.ts";
import { branchPolicies, isMain, type Reviewer, rulesetIds } from "./compare.ts";
import { environments, rulesets, settings } from "./rules.ts";

/** Makes a repository what the rules say. It can be repeated. */
export async function applyRules(
  api: GitHub,
  repository: string,
  reviewers: readonly Reviewer[],
  tell: (line: string) => void,
): Promise<void> {
  const repo = `repos/${repository}`;
  for (const { name, reviewed, from, wait } of environments) {
    tell(`environment ${name}`);
    const path = `${repo}/environments/${name}`;
    await api.send("PUT", path, {
      wait_timer: wait,
      prevent_self_review: reviewed,
      reviewers: reviewed ? reviewers : [],
      deployment_branch_policy: from === "main" ? { protected_branches: false, custom_branch_policies: true } : null,
    });
    if (from !== "main") continue;
    const policies = await branchPolicies(api, path);
    // Main first: an environment without any policy would take every branch.
    if (!policies.some(isMain))
      await api.send("POST", `${path}/deployment-branch-policies`, { name: "main", type: "branch" });
    for (const { id } of policies.filter((policy) => !isMain(policy)))
      await api.send("DELETE", `${path}/deployment-branch-policies/${id}`);
  }
  const ids = await rulesetIds(api, repo);
  for (const ruleset of rulesets) {
    tell(`ruleset ${ruleset.name}`);
    const id = ids.get(ruleset.name);
    if (id === undefined) await api.send("POST", `${repo}/rulesets`, ruleset);
    else await api.send("PUT", `${repo}/rulesets/${id}`, ruleset);
  }
  for (const { name, path, method, value } of settings) {
    tell(`setting ${name}`);
    await api.send(method, path === "" ? repo : `${repo}/${path}`, value);
  }
}
