#!/bin/sh
# Looks at a stack on the machine of its Docker, and changes nothing. Nobody is waited for longer than LIMIT seconds.
# The variables come in front of it: DOCKER (the daemon's address), STACK, SWITCH (the kill switch's file), LOCK (the stack's
# lock), MOVE (the directory of its move), FORMAT (a container, a line each), LIMIT, PROMETHEUS and ALERTMANAGER (their APIs' addresses inside their containers),
# QUERY (what is asked of Prometheus, as part of a URL).
# Answers `=== NAME` before what each source says, and `!!! NAME WHY` for one that says nothing.
set -u
: "${DOCKER:?}" "${STACK:?}" "${SWITCH:?}" "${LOCK:?}" "${MOVE:?}" "${FORMAT:?}" "${LIMIT:?}" "${PROMETHEUS:?}" "${ALERTMANAGER:?}" "${QUERY:?}"
# Docker is asked on its own address, whatever the user's client is set to.
docker() { timeout -k 1 "$LIMIT" docker --host "$DOCKER" "$@" 2>&1; }
why() { if [ "$1" -eq 124 ]; then echo "no answer within $LIMIT s"; else echo "$2" | tail -n 1; fi; }

echo '=== switch'
if [ -e "$SWITCH" ]; then
  echo on
  sed -n 's/^# \({.*\)/\1/p' "$SWITCH" 2>/dev/null
else
  echo off
fi

echo '=== lock'
if [ -e "$LOCK" ]; then
  echo "held $(($(date +%s) - $(stat -c %Y "$LOCK" 2>/dev/null || date +%s)))"
  sed -n 2p "$LOCK" 2>/dev/null
fi

if [ -e "$MOVE/record" ] && [ ! -e "$MOVE/finished" ]; then
  word=moving
  [ ! -e "$MOVE/fenced" ] || word=moved
  echo '=== move'
  { cat "$MOVE/record"; echo; } | sed -n "s/.*\"to\":{\"address\":\"\([^\"]*\)\".*/$word \1/p"
fi

ids=$(docker ps --all --quiet --no-trunc --filter "label=autollm.stack=$STACK")
code=$?
if [ $code -ne 0 ]; then
  echo "!!! docker $(why $code "$ids")"
  exit 0
fi
# One that ends meanwhile is an error and no loss: the others are told all the same. A list that was cut short is no list.
# shellcheck disable=SC2086
containers=$([ -z "$ids" ] || docker inspect --format "$FORMAT" $ids)
code=$?
if [ $code -eq 124 ]; then echo "!!! containers $(why $code)"; else printf '=== containers\n%s\n' "$containers"; fi

# ask SOURCE SERVICE URL: what a program says inside its own container, where alone it listens.
ask() {
  id=$(docker ps --quiet --filter "label=autollm.stack=$STACK" --filter "label=autollm.service=$2" --filter status=running | head -n 1)
  [ -n "$id" ] || { echo "!!! $1 its container does not run"; return; }
  said=$(docker exec "$id" wget -q -T "$LIMIT" -O - "$3")
  code=$?
  if [ $code -eq 0 ]; then printf '=== %s\n%s\n' "$1" "$said"; else echo "!!! $1 $(why $code "${said:-no answer}")"; fi
}
ask alerts prometheus "$PROMETHEUS/api/v1/alerts"
ask due prometheus "$PROMETHEUS/api/v1/query?query=$QUERY"
ask silences alertmanager "$ALERTMANAGER/api/v2/alerts?active=false&silenced=true&inhibited=false"
exit 0
