#!/usr/bin/env bash
# Pushes a branch with the changes of the given files, from a workflow, and says where to make a pull request of it. Does nothing
# where nothing changed. Needs GH_TOKEN, which may push and nothing else: a person opens the pull request, as a workflow that may
# open one may approve one, too. The checks then start by themselves, and its author is somebody.
#
#   tools/github/propose.sh BRANCH TITLE FILE...
set -euo pipefail

if [ "$#" -lt 3 ]; then
  echo 'usage: tools/github/propose.sh BRANCH TITLE FILE...' >&2
  exit 64
fi
branch=$1
title=$2
shift 2
if git diff --quiet -- "$@"; then
  echo 'nothing changed: nothing to propose'
  exit 0
fi
git switch --create "$branch"
git -c user.name='github-actions[bot]' -c user.email='41898282+github-actions[bot]@users.noreply.github.com' \
  commit --message "$title" -- "$@"
# The token goes with this one push alone: the checkout kept none. It is given by the environment, not on the command line.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.https://github.com/.extraheader"
GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $(printf 'x-access-token:%s' "$GH_TOKEN" | base64 --wrap=0)"
export GIT_CONFIG_VALUE_0
git push --force origin "$branch"
{
  echo "**$title**: open the pull request: $GITHUB_SERVER_URL/$GITHUB_REPOSITORY/compare/$branch?expand=1"
  echo
  # Indented, so that it is shown as it stands.
  git show --stat --format= HEAD | sed 's/^/    /'
} >>"$GITHUB_STEP_SUMMARY"
