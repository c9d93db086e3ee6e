#!/usr/bin/env bash
# Protects the repository on GitHub, or compares it with the rules (--check). It explains itself with --help.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# The project's own Node, as in npm's scripts.
PATH="$root/node_modules/.bin:$PATH" exec node "$root/tools/github/protect.ts" "$@"
