#!/bin/sh
# start: runs NATS. reload: has the running one take the present users. settle: also refuses the former ones, for good.
# fence SERVICE NONCE: as reload, and ends with 0 once no connection of the service's former users is left.
# While the kill switch is on, it has no executors, and takes no approved order.
set -eu
# shellcheck disable=SC2034
live=/run/live/current kept=/data/.generations active=/tmp/users.conf variant=''
# Seconds in which the server takes a config, and ends the connections of a user that it has no more.
patience=60
config=/etc/autollm/nats.conf
monitoring=http://nats.nats:8222

# One at a time, from the look at what counts until the server has it: of two at once, the slower one would write what it saw
# before the other's claim, or before the kill switch was set.
exec 9>/tmp/users.lock
flock 9
[ ! -e /run/kill-switch/on.prom ] || variant=-halted
# shellcheck source=components/data/overlap.sh
. /etc/autollm/overlap.sh

# asked PATH: what the server says of itself. Under load it may let an answer wait.
asked() {
  for _ in 1 2 3 4 5; do
    ! said=$(wget -q -T 5 -O - "$monitoring/$1" 2>/dev/null) || { echo "$said"; return; }
    sleep 1
  done
  echo "nats: it does not answer at $monitoring" >&2
  return 1
}
loaded() { asked varz | grep '"config_load_time"'; }

# claimed: an executor's user has the name that its present container has claimed, and no other.
claimed() {
  for claim in /run/live/claims/*; do
    case $claim in *.new) continue ;; esac
    [ -f "$claim" ] || continue
    sed -i "s/\"user\": \"\(${claim##*/}\(-even\)*\)\"/\"user\": \"\1.$(cat "$claim")\"/" "$active.new"
  done
}

# ended SERVICE NONCE: whether no connection is left of a user of the service that was claimed before.
ended() {
  connections=$(asked "connz?auth=true&limit=65536") || return 1
  ! echo "$connections" | grep -oE "\"authorized_user\": \"$1(-even)?(\.[0-9a-f]+)?\"" | grep -qv "\.$2\"\$"
}

# until COMMAND...: repeats it until it ends with 0, as long as there is patience.
until_so() {
  end=$(($(date +%s) + patience))
  while ! "$@"; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.5
  done
}

[ "$1" != settle ] || settle
choose
claimed
if [ "$1" = start ]; then
  mv "$active.new" "$active"
  # The server must not hold the lock.
  exec nats-server --config "$config" 9>&-
fi

before=$(loaded)
former=''
[ ! -f "$active" ] || former=$(cat "$active")
mv "$active.new" "$active"
refuse() {
  # One that starts now must not take what was refused.
  [ -z "$former" ] || (umask 077 && printf '%s\n' "$former" >"$active")
  echo "$1" >&2
  exit 1
}
fault=$(nats-server --config "$config" -t 2>&1) || refuse "nats: the users were refused: $(echo "$fault" | tail -n 3)"
nats-server --signal reload="$(pidof nats-server)"
# The signal has no answer: the server says when it took a config, and in its log why it did not.
taken() { now=$(loaded) && [ "$now" != "$before" ]; }
until_so taken || refuse 'nats: the users were not taken; see its log'
flock -u 9
[ "$1" = fence ] || exit 0
until_so ended "$2" "$3" || { echo "nats: a former user of $2 is still connected" >&2; exit 1; }
