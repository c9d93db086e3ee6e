#!/bin/sh
# start: runs NATS. reload: has the running one take the present users. settle: also refuses the former ones, for good.
# fence SERVICE NONCE: as reload, and ends with 0 once no connection of the service's former users is left.
# While the kill switch is on, it has no executors, and takes no approved order.
set -eu
# shellcheck disable=SC2034
live=/run/live/current kept=/data/.generations active=/tmp/users.conf variant=''
[ ! -e /run/kill-switch/on.prom ] || variant=-halted
# shellcheck source=components/data/overlap.sh
. /etc/autollm/overlap.sh
config=/etc/autollm/nats.conf

monitoring=http://nats.nats:8222
loaded() { wget -q -O - "$monitoring/varz" | grep '"config_load_time"'; }

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
  connections=$(wget -q -O - "$monitoring/connz?auth=true&limit=65536") || return 1
  ! echo "$connections" | grep -oE "\"authorized_user\": \"$1(-even)?(\.[0-9a-f]+)?\"" | grep -qv "\.$2\"\$"
}

[ "$1" != settle ] || settle
choose
claimed
mv "$active.new" "$active"
[ "$1" != start ] || exec nats-server --config "$config"

before=$(loaded)
nats-server --signal reload="$(pidof nats-server)"
# The signal has no answer: the server says when it took a config, and in its log why it did not.
for _ in 1 2 3 4 5 6 7 8 9 10; do
  sleep 0.5
  [ "$(loaded)" != "$before" ] || continue
  [ "$1" = fence ] || exit 0
  ! ended "$2" "$3" || exit 0
done
if [ "$(loaded)" != "$before" ]; then
  echo "nats: a former user of $2 is still connected" >&2
  exit 1
fi
nats-server --config "$config" -t 2>&1 | tail -n 3 >&2
echo 'nats: the users were refused; see its log' >&2
exit 1
