#!/usr/bin/env bash
# Protects the repository on GitHub: environments, reviewers, branch and tag rules. Run it again after a change; it says what it sets.
#
#   tools/github/protect.sh OWNER/REPO REVIEWER REVIEWER...     (users, or ORG/TEAM)
#
# Needs gh, logged in as an administrator of the repository, and jq. On a private repository GitHub wants a plan with
# protection rules for environments. Of the reviewers of an environment GitHub asks ONE: so production has two environments,
# production-first and production, and the job counts that two different people have approved. Nobody approves their own run.
set -euo pipefail

if [ "$#" -lt 3 ] || [ "${1:-}" = --help ]; then
  echo 'usage: tools/github/protect.sh OWNER/REPO REVIEWER REVIEWER...' >&2
  exit 64
fi
repository=$1
shift
for program in gh jq; do
  command -v "$program" >/dev/null || { echo "error: $program is needed" >&2; exit 1; }
done

# Reviewers, as the API wants them: {type, id}.
reviewers='[]'
for name in "$@"; do
  case $name in
    */*) type=Team id=$(gh api "orgs/${name%%/*}/teams/${name#*/}" --jq .id) ;;
    *) type=User id=$(gh api "users/$name" --jq .id) ;;
  esac
  reviewers=$(jq --arg type "$type" --argjson id "$id" '. + [{type: $type, id: $id}]' <<<"$reviewers")
done

environment() { # NAME JSON
  echo "environment $1"
  gh api --method PUT "repos/$repository/environments/$1" --input - <<<"$2" >/dev/null
}

deploy_from() { # ENVIRONMENT TYPE PATTERN: which branches or tags may use it
  local policies="repos/$repository/environments/$1/deployment-branch-policies"
  if [ "$(gh api "$policies" --jq "[.branch_policies[] | select(.name == \"$3\")] | length")" = 0 ]; then
    gh api --method POST "$policies" -f "name=$3" -f "type=$2" >/dev/null
  fi
}

chosen='{"protected_branches": false, "custom_branch_policies": true}'
reviewed=$(jq -n --argjson reviewers "$reviewers" '{prevent_self_review: true, reviewers: $reviewers}')
main_only=$(jq -n --argjson chosen "$chosen" '{deployment_branch_policy: $chosen}')

# A preview runs a branch's code with a token that can read the stack's secrets: one person looks at the branch first.
environment preview "$(jq '. + {deployment_branch_policy: null}' <<<"$reviewed")"
for name in staging drift images; do
  environment "$name" "$main_only"
  deploy_from "$name" branch main
done
environment production-first "$(jq --argjson chosen "$chosen" '. + {deployment_branch_policy: $chosen}' <<<"$reviewed")"
# And a wait of five minutes.
environment production "$(jq --argjson chosen "$chosen" '. + {wait_timer: 5, deployment_branch_policy: $chosen}' <<<"$reviewed")"
for name in production-first production; do
  deploy_from "$name" branch main
  deploy_from "$name" tag 'v*'
done

ruleset() { # NAME JSON
  echo "ruleset $1"
  local id
  id=$(gh api "repos/$repository/rulesets" --jq ".[] | select(.name == \"$1\") | .id")
  if [ -n "$id" ]; then
    gh api --method PUT "repos/$repository/rulesets/$id" --input - <<<"$2" >/dev/null
  else
    gh api --method POST "repos/$repository/rulesets" --input - <<<"$2" >/dev/null
  fi
}

ruleset main "$(jq -n '{
  name: "main", target: "branch", enforcement: "active",
  conditions: {ref_name: {include: ["~DEFAULT_BRANCH"], exclude: []}},
  rules: [
    {type: "deletion"}, {type: "non_fast_forward"}, {type: "required_linear_history"},
    {type: "pull_request", parameters: {
      required_approving_review_count: 2, dismiss_stale_reviews_on_push: true, require_code_owner_review: false,
      require_last_push_approval: true, required_review_thread_resolution: true}},
    {type: "required_status_checks", parameters: {strict_required_status_checks_policy: true, required_status_checks: [
      {context: "test"}, {context: "workflows"}, {context: "secrets"}, {context: "end-to-end"}]}}
  ]}')"
ruleset releases "$(jq -n '{
  name: "releases", target: "tag", enforcement: "active",
  conditions: {ref_name: {include: ["refs/tags/v*"], exclude: []}},
  rules: [{type: "deletion"}, {type: "update"}]}')"

echo 'repository settings'
# Only pinned actions, and a token that can only read unless a workflow asks for more.
gh api --method PUT "repos/$repository/actions/permissions" -F enabled=true -f allowed_actions=all -F sha_pinning_required=true >/dev/null
gh api --method PUT "repos/$repository/actions/permissions/workflow" \
  -f default_workflow_permissions=read -F can_approve_pull_request_reviews=true >/dev/null
gh api --method PUT "repos/$repository/actions/permissions/fork-pr-contributor-approval" \
  -f approval_policy=all_external_contributors >/dev/null
gh api --method PATCH "repos/$repository" --input - >/dev/null <<'JSON'
{"delete_branch_on_merge": true, "allow_merge_commit": false,
 "security_and_analysis": {"secret_scanning": {"status": "enabled"}, "secret_scanning_push_protection": {"status": "enabled"}}}
JSON
echo "done: $repository"
