#!/bin/sh
# Runs a program whose data can be had again, or done without. If it ends by itself and says which of its files is damaged, that one
# is set aside under another name, and the next start goes without it. Usage: set-aside.sh DIRECTORY PROGRAM [ARGUMENT...]
#   damage.sed, beside this script, makes names below DIRECTORY of what the program says
set -eu
rules=${0%/*}/damage.sed data=$1 scratch=${AUTOLLM_SCRATCH:-/tmp}
shift

# Its last lines are kept beside going on their way.
rm -f "$scratch/said" "$scratch/copy"
mkfifo -m 0600 "$scratch/said" "$scratch/copy"
tail -n 50 <"$scratch/copy" >"$scratch/last" &
tailing=$!
tee "$scratch/copy" <"$scratch/said" &
copying=$!
asked=''
"$@" >"$scratch/said" 2>&1 &
program=$!
trap 'asked=1; kill -TERM "$program" 2>/dev/null || :' TERM INT

# A signal ends a wait before the program has ended.
code=0
wait "$program" || code=$?
while kill -0 "$program" 2>/dev/null; do
  code=0
  wait "$program" || code=$?
done
wait "$copying" "$tailing" || :
if [ "$code" -eq 0 ] || [ -n "$asked" ]; then exit "$code"; fi

time=$(date -u +%Y%m%dT%H%M%SZ)
sed -n -E -f "$rules" "$scratch/last" | tr ' ' '\n' | sort -u | while read -r name; do
  case $name in '' | /* | *..*) continue ;; esac
  [ -e "$data/$name" ] || continue
  mv "$data/$name" "$data/$name.damaged-$time"
  echo "set aside as $data/$name.damaged-$time: the program cannot read it, and starts without it" >&2
done
exit "$code"
