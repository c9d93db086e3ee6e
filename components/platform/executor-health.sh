#!/bin/sh
# An executor's health check. While the kill switch is on, its program does not run, and the container does what it should:
# an `up` must not wait for more. Usage: executor-health.sh PROGRAM [ARGUMENT...]
set -eu
[ ! -e "${AUTOLLM_KILL_SWITCH:-/run/kill-switch}/on.prom" ] || exit 0
exec "$@"
