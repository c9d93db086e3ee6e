#!/bin/sh
# Looks after the bbolt files of a program whose own image has no shell. A damaged one is set aside, so that the program starts with
# an empty one: by itself it would end at each start. Who holds a file's lock works with it, and it is left alone.
# Usage: bolt-guard.sh DIRECTORY FILE...   (patterns, below the directory)
set -eu

# In a process of its own, under the file's lock: check DIRECTORY FILE
if [ "$1" = check ]; then
  why=$(node /app/backup.mjs bolt-fault "$3")
  [ -n "$why" ] || exit 0
  aside=$2/${3##*/}.damaged-$(date -u +%Y%m%dT%H%M%SZ)
  mv "$3" "$aside"
  echo "set aside as $aside: $why" >&2
  exit 0
fi

directory=$1
shift
while :; do
  for pattern in "$@"; do
    # shellcheck disable=SC2231
    for file in "$directory"/$pattern; do
      case $file in *.damaged-* | *.backup | */tempdb*) continue ;; esac
      # bbolt waits for the lock for 5 s; the look takes less.
      [ ! -s "$file" ] || flock -n "$file" /bin/sh "$0" check "$directory" "$file" || :
    done
  done
  touch /tmp/looked
  sleep 5 &
  wait $!
done
