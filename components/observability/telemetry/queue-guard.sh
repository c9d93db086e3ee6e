#!/bin/sh
# Looks after the files of a collector's queue, whose own image has no shell. A damaged one is set aside, so that the collector
# starts with an empty one: by itself it would end at each start. Who holds a file's lock works with it, and it is left alone.
set -eu
queue=/queue

# In a process of its own, under the file's lock: check FILE
if [ "${1:-}" = check ]; then
  why=$(node /app/backup.mjs bolt-fault "$2")
  [ -n "$why" ] || exit 0
  aside=$2.damaged-$(date -u +%Y%m%dT%H%M%SZ)
  mv "$2" "$aside"
  echo "set aside as $aside: $why" >&2
  exit 0
fi

while :; do
  for file in "$queue"/*; do
    case $file in *.damaged-* | *.backup | */tempdb*) continue ;; esac
    # bbolt waits for the lock for 5 s; the look takes less.
    [ ! -s "$file" ] || flock -n "$file" /bin/sh "$0" check "$file" || :
  done
  touch /tmp/looked
  sleep 5 &
  wait $!
done
