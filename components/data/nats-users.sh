#!/bin/sh
# start: runs NATS. reload: has the running one take the present users. settle: also refuses the former ones, for good.
# While the kill switch is on, it has no executors, and takes no approved order.
set -eu
# shellcheck disable=SC2034
live=/run/live/current kept=/data/.generations active=/tmp/users.conf variant=''
[ ! -e /run/kill-switch/on.prom ] || variant=-halted
# shellcheck source=components/data/overlap.sh
. /etc/autollm/overlap.sh
config=/etc/autollm/nats.conf

loaded() { wget -q -O - http://nats.nats:8222/varz | grep '"config_load_time"'; }

[ "$1" != settle ] || settle
choose
mv "$active.new" "$active"
[ "$1" != start ] || exec nats-server --config "$config"

before=$(loaded)
nats-server --signal reload="$(pidof nats-server)"
# The signal has no answer: the server says when it took a config, and in its log why it did not.
for _ in 1 2 3 4 5 6 7 8 9 10; do
  sleep 0.5
  [ "$(loaded)" = "$before" ] || exit 0
done
nats-server --config "$config" -t 2>&1 | tail -n 3 >&2
echo 'nats: the users were refused; see its log' >&2
exit 1
