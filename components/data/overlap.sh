# Two sets of passwords: one takes the values of the generation before as well, one refuses them. Whoever sources this has set
# `live` (the directory of the files that count now), `kept` (a file in the volume) and `active` (what the server reads), and
# may set `variant` (what follows the names of both sets).
# shellcheck shell=sh disable=SC2154

# The volume remembers the generations whose predecessors are refused. A new volume: nobody holds an old value.
settle() { cp "$live/generations" "$kept.new" && sync "$kept.new" && mv "$kept.new" "$kept"; }
[ -f "$kept" ] || settle

# While it remembers others, a rotation is under way, and readers still come with the old values.
choose() {
  set=settled
  cmp -s "$live/generations" "$kept" || set=overlap
  (umask 077 && cat "$live/$set${variant:-}" >"$active.new")
}
