#!/bin/sh
# start: runs Redis. reload: has the running one take the present passwords. settle: also refuses the former ones, for good.
set -eu
# shellcheck disable=SC2034
live=/run/live/current kept=/data/.generations active=/tmp/users.acl
# shellcheck source=components/data/overlap.sh
. /etc/autollm/overlap.sh

# May have the file read again and nothing else. Its password is this container's own and never leaves it.
own=/tmp/reload
[ -f "$own" ] || (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$own")

[ "$1" != settle ] || settle
choose
printf 'user reload on #%s -@all +acl|load\n' "$(sha256sum <"$own" | cut -d' ' -f1)" >>"$active.new"
mv "$active.new" "$active"
[ "$1" != start ] || exec redis-server /etc/autollm/redis.conf

said=$(REDISCLI_AUTH=$(cat "$own") redis-cli --user reload acl load 2>&1)
[ "$said" = OK ] || { echo "redis: the passwords were refused: $said" >&2; exit 1; }
