#!/bin/sh
# Applies the current passwords of all roles before Postgres accepts a connection, at every start: the image alone
# would read a password only when it makes the database.
set -eu

export PGDATA=/var/lib/postgresql/data/pgdata
socket=/tmp

# A restore to a moment that was cut short has set the cluster aside, and not put another in its place.
if [ ! -e "$PGDATA" ] && [ -e "$PGDATA.replaced" ]; then
  mv "$PGDATA.replaced" "$PGDATA"
  sync "$(dirname "$PGDATA")"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # Made aside and renamed, so that an interrupted start leaves no half-made database.
  rm -rf "$PGDATA.new"
  initdb --pgdata="$PGDATA.new" --username=postgres --auth=reject --encoding=UTF8 --locale=C.UTF-8 --data-checksums >/dev/null
  mv "$PGDATA.new" "$PGDATA"
  sync "$(dirname "$PGDATA")"
fi

# A recovery that is cut short begins again from its start, so nothing but its own end ends it. Postgres tells of its progress.
long=86400

# Nobody but this script can connect here: no TCP, and a socket in the container's own /tmp.
if ! pg_ctl --wait --timeout="$long" --silent start --options="-c config_file=/etc/autollm/postgresql.conf -c listen_addresses='' -c unix_socket_directories=$socket"; then
  echo 'postgres-start: Postgres does not start with its data, for the reason above. Nothing of it was changed; the runbook PostgresDown says what to do.' >&2
  exit 1
fi
if ! psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --host="$socket" --username=postgres --file=/run/live/current/roles.sql >/dev/null; then
  echo 'postgres-start: the roles could not be set up; see the lines above' >&2
  pg_ctl --timeout="$long" --silent --mode=fast stop
  exit 1
fi
pg_ctl --wait --timeout="$long" --silent --mode=fast stop

# The program that closes segments in time looks at its settings when it is told to, and otherwise only after the first five minutes.
# Not a child of this process, which becomes Postgres: Postgres takes a child that is killed for a crash of its own.
(
  (
    until pg_isready --quiet --host="$socket"; do sleep 1; done
    kill -HUP $$
  ) &
)

exec postgres -c config_file=/etc/autollm/postgresql.conf
