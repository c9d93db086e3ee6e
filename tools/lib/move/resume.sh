#!/bin/sh
# On the old host of a move, by a timer: starts again what the move has stopped, once nobody has shown a sign of it for LEASE seconds.
# By one rename, so that a host is never started again that the move has fenced: move.sh renames the same file.
set -eu
: "${DIRECTORY:?}" "${STACK:?}" "${LEASE:?}"
if [ ! -e "$DIRECTORY/resuming" ]; then
  [ $(($(date +%s) - $(stat -c %Y "$DIRECTORY/lease"))) -ge "$LEASE" ] || exit 0
  for stopped in "$DIRECTORY"/stopped.*; do
    [ -e "$stopped" ] || exit 0
    mv "$stopped" "$DIRECTORY/resuming" || exit 0
  done
fi
while read -r service; do
  id=$(docker ps --all --quiet --filter "label=autollm.stack=$STACK" --filter "label=autollm.service=$service" </dev/null | head -n 1)
  [ -z "$id" ] || docker start "$id" >/dev/null </dev/null
done <"$DIRECTORY/resuming"
echo "the move of $STACK gave no sign for $LEASE s: this host serves again"
rm -f "$DIRECTORY/resuming"
