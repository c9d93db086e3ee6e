#!/bin/sh
# Makes an empty cluster beside the present one, as Postgres's own start makes it (components/data/postgres-start.sh), and serves it on a
# socket alone: the upgrade fills it. Each role connects to the database that is being restored, and only the superuser elsewhere.
# $1: the cluster's folder, $2: the name of that database.
set -eu

rm -rf "$1"
initdb --pgdata="$1" --username=postgres --auth=reject --encoding=UTF8 --locale=C.UTF-8 --data-checksums >/dev/null
cat >/tmp/pg_hba.conf <<HBA
local all postgres trust
local $2 all trust
HBA
cat >/tmp/postgresql.conf <<CONF
hba_file = '/tmp/pg_hba.conf'
listen_addresses = ''
unix_socket_directories = '/tmp'
dynamic_shared_memory_type = mmap
timezone = UTC
log_timezone = UTC
wal_level = minimal
max_wal_senders = 0
autovacuum = off
CONF
exec postgres -D "$1" -c config_file=/tmp/postgresql.conf
