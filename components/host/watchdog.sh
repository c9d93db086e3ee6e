#!/bin/sh
# Restarts a container of the platform that stays unhealthy for 3 checks, each time after a longer wait, and counts it.
set -u
state=${WATCHDOG_STATE:-/run/autollm-watchdog}
metrics=${WATCHDOG_METRICS:-/var/lib/autollm/metrics}/watchdog.prom
patience=3
longest=64
mkdir -p "$state"

# A number that a file holds; 0 where there is none.
number() { if [ -s "$1" ]; then cat "$1"; else echo 0; fi; }

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
      if [ "$strikes" -ge "$wait" ]; then
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
