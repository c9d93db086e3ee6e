#!/bin/sh
# Tells fail2ban whom the edge refused, a line each: `refused ADDRESS STATUS`. The address is the client's: that of the
# connection or, where a trusted proxy made that, the one which the proxy names. There are two Caddys while one is replaced.
set -u
follow() {
  docker logs --follow --since 1s "$1" 2>&1 | jq --raw-input --raw-output --unbuffered '
    fromjson? | select(.status == (401, 403, 429)) | "refused \(.request.client_ip) \(.status)"'
}
followed=""
while :; do
  # CONTAINER:PROCESS of each that is followed.
  still=""
  for each in $followed; do
    if kill -0 "${each#*:}" 2>/dev/null; then still="$still $each"; fi
  done
  for edge in $(docker ps --quiet --filter label=autollm.service=caddy); do
    case "$still " in
      *" $edge:"*) ;;
      *)
        follow "$edge" &
        still="$still $edge:$!"
        ;;
    esac
  done
  followed=$still
  sleep 2
done
