#!/bin/sh
# Restarts a container of the platform that stays unhealthy for 3 checks, each time after a longer wait, and counts it. One that
# Docker calls "starting" is left alone, and so is one that has no room to write.
set -u
state=${WATCHDOG_STATE:-/run/autollm-watchdog}
metrics=${WATCHDOG_METRICS:-/var/lib/autollm/metrics}/watchdog.prom
patience=3
longest=64
# KiB: less holds not even the next file of Postgres's log (16 MiB), and a few of the other stores'.
room=32768
mkdir -p "$state"

# A number that a file holds; 0 where there is none.
number() { if [ -s "$1" ]; then cat "$1"; else echo 0; fi; }

# The first place that has no room, of those that a container writes to: Docker's own directory, with its log, and its volumes. A
# restart makes no room, and what the program could not write yet would be lost with its memory.
full() {
  {
    docker info --format '{{.DockerRootDir}}'
    docker inspect --format '{{range .Mounts}}{{if .RW}}{{println .Source}}{{end}}{{end}}' "$1"
  } | while read -r place; do
    [ -d "$place" ] || continue
    # A file system without a fixed number of files says "-" for it, or that it has none at all.
    df -k --output=avail,itotal,iavail "$place" | awk -v place="$place" -v room="$room" \
      'NR == 2 && ($1 < room || ($2 > 0 && $3 == 0)) { print place }'
  done | head -n 1
}

containers=$(docker ps --filter label=autollm.stack --format '{{.Names}} {{.Label "autollm.service"}} {{.Status}}') || exit 1
: > "$state/lines"
echo "$containers" | while read -r name service status; do
  [ -n "$name" ] || continue
  file=$state/$name
  case $status in
    *"(unhealthy)"*)
      strikes=$(($(number "$file.strikes") + 1))
      # Restarts so far without health in between double the patience: 3, 6, 12 ... checks.
      tries=$(number "$file.tries")
      wait=$patience
      while [ "$tries" -gt 0 ] && [ "$wait" -lt "$longest" ]; do wait=$((wait * 2)); tries=$((tries - 1)); done
      if [ "$strikes" -ge "$wait" ] && place=$(full "$name") && [ -n "$place" ]; then
        echo "not restarting $name, which is unhealthy: $place has no room"
        strikes=0
      elif [ "$strikes" -ge "$wait" ]; then
        echo "restarting $name: unhealthy for $strikes checks"
        docker restart "$name" >/dev/null
        echo $(($(number "$file.tries") + 1)) > "$file.tries"
        echo $(($(number "$file.restarts") + 1)) > "$file.restarts"
        strikes=0
      fi
      echo "$strikes" > "$file.strikes"
      ;;
    *"(healthy)"*) rm -f "$file.strikes" "$file.tries" ;;
  esac
  echo "autollm_watchdog_restarts_total{container=\"$name\",service=\"$service\"} $(number "$file.restarts")" >> "$state/lines"
done

# What is left of containers that are gone.
for file in "$state"/*.strikes "$state"/*.tries "$state"/*.restarts; do
  [ -e "$file" ] || continue
  name=$(basename "${file%.*}")
  case " $(echo "$containers" | cut -d' ' -f1 | tr '\n' ' ')" in *" $name "*) ;; *) rm -f "$file" ;; esac
done

{
  echo "# HELP autollm_watchdog_restarts_total Restarts of a container that stayed unhealthy, since the host's boot."
  echo "# TYPE autollm_watchdog_restarts_total counter"
  cat "$state/lines"
  echo "# HELP autollm_watchdog_last_run_seconds When the watchdog last looked."
  echo "# TYPE autollm_watchdog_last_run_seconds gauge"
  echo "autollm_watchdog_last_run_seconds $(date +%s)"
} > "$metrics.new" && chmod 0644 "$metrics.new" && mv -f "$metrics.new" "$metrics"
