#!/bin/sh
# Recovers a cluster beside the present one, from a base backup and the log after it: Postgres alone, on no network.
# $1: the moment, as Postgres reads it; empty for the end of the log. $2: the folder in which it lies; default /volume.
# Tells where it ended: `moment` or `end`, and the place.
set -eu

new=${2:-/volume}/pgdata.restored
export WAL="${2:-/volume}/wal.restored"
log=/tmp/recovery.log
data=$(cat "$new/PG_VERSION")
if [ "$data" != "$(postgres --version | sed 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/')" ]; then
  echo "that moment is of Postgres $data, before an upgrade, and this one is another major version: docs/backup.md, Another major version of a store" >&2
  exit 1
fi
pg_verifybackup --no-parse-wal --quiet "$new"
touch "$new/recovery.signal"
echo 'local all postgres trust' >/tmp/pg_hba.conf
# A segment that is not there ends the log. One that is damaged ends the recovery: Postgres takes an exit code above 125 for that.
cat >/tmp/fetch.sh <<'FETCH'
set -eu
file=$WAL/$1.gz
[ -e "$file" ] || exit 1
gunzip -c "$file" >"$2" || exit 126
FETCH
config() {
  cat <<CONF
hba_file = '/tmp/pg_hba.conf'
listen_addresses = ''
unix_socket_directories = '/tmp'
dynamic_shared_memory_type = mmap
hot_standby = off
timezone = UTC
log_timezone = UTC
restore_command = '/bin/sh /tmp/fetch.sh "%f" "%p"'
recovery_target_timeline = 'current'
recovery_target_action = 'promote'
recovery_target_time = '$1'
CONF
}
opens() {
  psql --no-psqlrc --tuples-only --no-align --host=/tmp --username=postgres --command='SELECT NOT pg_is_in_recovery()' 2>/dev/null
}
# Until it is a cluster that can be written to, or Postgres has ended.
start() {
  : >"$log"
  config "$1" >/tmp/recovery.conf
  pg_ctl --pgdata="$new" --no-wait --silent --log="$log" --options='-c config_file=/tmp/recovery.conf' start >/dev/null
  sleep 1
  until [ "$(opens)" = t ]; do
    pg_ctl --pgdata="$new" status >/dev/null || return 1
    sleep 1
  done
}

ended=moment
[ -n "$1" ] || ended=end
if ! start "$1"; then
  # No commit came after the moment: the end of the log is what was there.
  if [ -n "$1" ] && grep -q 'recovery ended before configured recovery target was reached' "$log" && start ''; then
    ended=end
  else
    grep -E 'FATAL|PANIC|ERROR' "$log" | tail -n 3 >&2
    exit 1
  fi
fi
place=$(sed -n 's/^.*redo done at \([0-9A-F/]*\).*$/\1/p' "$log" | tail -n 1)
pg_ctl --pgdata="$new" --wait --timeout=86400 --silent --mode=fast stop
rm -f "$new/recovery.done"
echo "$ended $place"
