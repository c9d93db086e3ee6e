#!/bin/sh
# Tells fail2ban whom the edge refused, a line each: `refused ADDRESS STATUS`. The address is the client's: that of the
# connection or, where a trusted proxy made that, the one which the proxy names.
set -u
while :; do
  edge=$(docker ps --quiet --filter label=autollm.service=caddy | head -n 1)
  if [ -n "$edge" ]; then
    docker logs --follow --since 1s "$edge" 2>&1 | jq --raw-input --raw-output --unbuffered '
      fromjson? | select(.status == (401, 403, 429)) | "refused \(.request.client_ip) \(.status)"'
  fi
  sleep 2
done
