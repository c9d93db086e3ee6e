#!/usr/bin/env bash
# Builds Prometheus's pages in the folder of its source, and lists them in the file by which Go embeds them.
set -euo pipefail

(
  cd web/ui
  pnpm() { npx --yes --package=pnpm@10.34.9 -- pnpm "$@"; }
  # What packages would run at their installation is left out: none of those that the pages need does.
  pnpm install --frozen-lockfile --ignore-scripts
  for module in lezer-promql codemirror-promql mantine-ui; do
    pnpm --filter "@prometheus-io/$module" run build
  done
  mkdir -p static
  mv mantine-ui/dist static/mantine-ui
  find static -type f -exec gzip --no-name {} +
  # Line by line: one line of thousands of names is longer than Go reads.
  { cat embed.go.tmpl; find static -type f -name '*.gz' | sort | sed 's|^|//go:embed |'; echo 'var EmbedFS embed.FS'; } >embed.go
)
