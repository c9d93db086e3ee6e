#!/bin/sh
# start: runs Redis. ping: whether it is alive and has loaded its data. reload: has the running one take the present users. settle: also refuses the
# former ones, for good, and ends the sessions that a value opened which counts no more. cli: redis-cli for whoever is in this
# container, with every right.
set -eu
# shellcheck disable=SC2034
live=/run/live/current kept=/data/.generations active=/tmp/users.acl
# shellcheck source=components/data/overlap.sh
. /etc/autollm/overlap.sh

# The user of this script. Its password is this container's own and never leaves it.
own=/tmp/operator
[ -f "$own" ] || (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$own")
cli() { REDISCLI_AUTH=$(cat "$own") redis-cli --user operator --no-auth-warning "$@" 2>&1; }

case $1 in
  ping)
    # One that cannot write says MISCONF: a restart would free no disk, and lose what is in memory alone. One that still loads
    # what it has on disk cannot serve yet.
    case $(cli ping) in
      PONG | MISCONF*) exit 0 ;;
      *) exit 1 ;;
    esac
    ;;
  cli)
    shift
    cli "$@"
    exit
    ;;
esac

# Redis ends the sessions of a user that is removed. Those of one that stays under its name, and whose password or rights are
# others now, are ended by `settle`, as far as they are older than the change: their reader has the new value by then.
changed=/tmp/changed
note_changed() {
  while read -r word name rest; do
    case $name in operator | default) continue ;; esac
    grep -q "^user $name " "$active" || continue
    grep -qxF "$word $name $rest" "$active" || echo "$name $(date +%s)" >>"$changed"
  done <"$active.new"
}
end_changed() {
  [ -f "$changed" ] || return 0
  while read -r name since; do
    # Redis counts whole seconds, from 1: a session that was opened in the second of the change must be that old, too.
    while age=$(($(date +%s) - since)) && [ "$age" -lt 1 ]; do sleep 1; done
    said=$(cli client kill user "$name" maxage "$age" </dev/null)
    case $said in '' | *[!0-9]*) echo "redis: the sessions of $name were not ended: $said" >&2; exit 1 ;; esac
  done <"$changed"
  rm "$changed"
}

[ "$1" != settle ] || settle
choose
printf 'user operator on #%s ~* &* +@all\n' "$(sha256sum <"$own" | cut -d' ' -f1)" >>"$active.new"
[ "$1" = start ] || note_changed
mv "$active.new" "$active"

# Redis goes on without a last write that is cut short, as a power cut leaves it, and shortens the file; at other damage it does not
# start, and changes nothing. Either way a copy is kept of what it found, once.
look() {
  log=/data/appendonlydir
  [ -f "$log/appendonly.aof.manifest" ] && command -v redis-check-aof >/dev/null || return 0
  found=$(cd "$log" && redis-check-aof appendonly.aof.manifest 2>&1) && return 0
  newest=$(stat -c %Y "$log"/* | sort -n | tail -n 1)
  copy=$log.damaged-$(date -u -d "@$newest" +%Y%m%dT%H%M%SZ)
  if [ ! -e "$copy" ]; then
    rm -rf "$copy.new"
    cp -a "$log" "$copy.new"
    mv "$copy.new" "$copy"
  fi
  echo "$found" | tail -n 5 >&2
  echo "redis: its log of writes is damaged; set aside as $copy is a copy. If Redis does not start with it, it has changed nothing, and the runbook RedisDown says what to do." >&2
}

if [ "$1" = start ]; then
  look
  exec redis-server /etc/autollm/redis.conf
fi

said=$(cli acl load)
[ "$said" = OK ] || { echo "redis: the users were refused: $said" >&2; exit 1; }
[ "$1" != settle ] || end_changed
