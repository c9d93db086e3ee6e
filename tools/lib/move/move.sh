#!/bin/sh
# One host's part of a move, as root. The variables come in front of it: ACTION, DIRECTORY (the move's, on this host), STACK, FILES (the
# stack's files), LEASE (seconds), and those of the action: ID, NAME, CONTENT (base64), VOLUMES, SERVICES, RESUME (base64).
#
# The old host's files decide which of the two serves:
#   stopped.ID   it is stopped for the move with this id; it starts again by itself once nobody has shown a sign for LEASE seconds
#   fenced       it never starts again; made of the former by one rename, so that it is the one or the other
set -eu
umask 077
export LC_ALL=C
: "${ACTION:?}" "${DIRECTORY:?}" "${STACK:?}" "${FILES:?}" "${LEASE:=180}" "${ID:=}" "${NAME:=}" "${CONTENT:=}" "${VOLUMES:=}" "${SERVICES:=}" "${RESUME:=}"
unit=autollm-move-$STACK
switch=$FILES/kill-switch

fail() {
  echo "$1" >&2
  exit 1
}
# of FILTER...: ids of the stack's containers.
of() { docker ps --all --quiet --no-trunc --filter "label=autollm.stack=$STACK" "$@"; }
# store SERVICE: the id of a store's container.
store() {
  id=$(of --filter "label=autollm.service=$1" | head -n 1)
  [ -n "$id" ] || fail "$1 has no container"
  echo "$id"
}
# stop ID...: ends them side by side, each as long as it may take.
stop() { [ $# -eq 0 ] || docker stop "$@" >/dev/null; }
# lines of `service id` of the containers that run.
running() { docker ps --no-trunc --filter "label=autollm.stack=$STACK" --format '{{.Label "autollm.service"}} {{.ID}}'; }
unarm() {
  systemctl disable --quiet --now "$unit.timer" >/dev/null 2>&1 || true
  rm -f "/etc/systemd/system/$unit.timer" "/etc/systemd/system/$unit.service"
  systemctl daemon-reload
}
# The host starts again by itself, also after a reboot in between, unless somebody shows a sign.
arm() {
  printf %s "$RESUME" | base64 -d >"$DIRECTORY/resume.sh"
  cat >"/etc/systemd/system/$unit.service" <<UNIT
[Unit]
Description=Starts the stack $STACK again if a move of it has stopped it and gone away
After=docker.service
[Service]
Type=oneshot
Environment=DIRECTORY=$DIRECTORY STACK=$STACK LEASE=$LEASE
ExecStart=/bin/sh $DIRECTORY/resume.sh
UNIT
  cat >"/etc/systemd/system/$unit.timer" <<UNIT
[Unit]
Description=Looks whether the move of the stack $STACK goes on
[Timer]
OnBootSec=30
OnActiveSec=15
OnUnitActiveSec=15
AccuracySec=1
[Install]
WantedBy=timers.target
UNIT
  systemctl daemon-reload
  systemctl enable --quiet --now "$unit.timer" >/dev/null 2>&1
}

# No executor that somebody starts by hand trades, and nothing else starts a container, a reboot neither. The kill switch as it was
# is kept for the new host.
seal() {
  if [ ! -e "$DIRECTORY/switch.tar" ]; then
    mkdir -p "$switch"
    tar -C "$switch" -cf "$DIRECTORY/switch.tar.new" .
    mv "$DIRECTORY/switch.tar.new" "$DIRECTORY/switch.tar"
  fi
  printf %s "$CONTENT" | base64 -d >"$switch/on.prom"
  chmod 0644 "$switch/on.prom"
  unarm
  # shellcheck disable=SC2046
  docker update --restart no $(of) >/dev/null
  # shellcheck disable=SC2046
  stop $(running | cut -d ' ' -f 2)
}

# look_at SERVICE: how its container is. Docker's own look at it may be half a minute away, so the check is made here.
look_at() {
  id=$(of --filter "label=autollm.service=$1" | head -n 1)
  [ -n "$id" ] || { echo "$1 missing"; return; }
  is=$(docker inspect --format '{{if .State.Running}}{{with .State.Health}}{{.Status}}{{else}}running{{end}}{{else}}{{.State.Status}}{{end}}' "$id")
  case $is in
    starting | unhealthy)
      check=$(docker inspect --format '{{json .Config.Healthcheck.Test}}' "$id" | jq -r '.[1:] | @sh')
      if eval "timeout 5 docker exec $id $check" >/dev/null 2>&1; then is=healthy; fi
      ;;
  esac
  echo "$1 $is"
}

case $ACTION in
  look)
    for file in "$DIRECTORY"/*; do
      [ ! -f "$file" ] || echo "file ${file##*/}"
    done
    [ ! -f "$DIRECTORY/record" ] || printf 'record %s\n' "$(cat "$DIRECTORY/record")"
    ;;
  write)
    mkdir -p "$DIRECTORY"
    printf %s "$CONTENT" | base64 -d >"$DIRECTORY/$NAME.new"
    sync "$DIRECTORY/$NAME.new"
    mv "$DIRECTORY/$NAME.new" "$DIRECTORY/$NAME"
    sync "$DIRECTORY"
    ;;
  read) cat "$DIRECTORY/$NAME" ;;
  clear) rm -rf "$DIRECTORY" ;;
  forget) rm -f "$DIRECTORY/$NAME" ;;
  tools)
    command -v rsync >/dev/null || { apt_get update && apt_get install --yes --no-install-recommends rsync; }
    ;;
  room)
    # KiB that the volumes take here, and that are free.
    # shellcheck disable=SC2086
    docker volume inspect --format '{{.Mountpoint}}' $VOLUMES | xargs du -skc | sed -n 's/^\([0-9]*\)\ttotal$/used \1/p'
    ;;
  places)
    # shellcheck disable=SC2086
    [ -z "$VOLUMES" ] || docker volume inspect --format '{{.Name}} {{.Mountpoint}}' $VOLUMES
    ;;
  sums)
    # A file that was read before, and has the same size, times and inode since, is not read again: only what was younger than two
    # seconds then may have changed without another time. Answers for each volume a digest over every file's path and content, one
    # over the names, owners and modes of all, how many files and bytes there are, and how many files could not be read.
    mkdir -p "$DIRECTORY/sums"
    for volume in $VOLUMES; do
      cd "$(docker volume inspect --format '{{.Mountpoint}}' "$volume")"
      cache=$DIRECTORY/sums/$volume
      [ -e "$cache" ] || echo 0 >"$cache"
      date +%s >"$cache.new"
      find . -type f -printf '%s %T@ %C@ %i\t%p\n' 2>/dev/null | sort >"$cache.now" || true
      : >"$cache.todo"
      awk -F '\t' -v todo="$cache.todo" '
        FNR == 1 && NR == 1 { began = $1; next }
        NR == FNR { split($1, part, " "); if (part[3] < began - 2) known[$1 "\t" $2] = $3; next }
        { key = $1 "\t" $2; if (key in known) print key "\t" known[key]; else print key >todo }
      ' "$cache" "$cache.now" >>"$cache.new"
      if [ -s "$cache.todo" ]; then
        # A file may be gone by now, while somebody writes.
        { cut -f 2- "$cache.todo" | tr '\n' '\0' | xargs -0 sha256sum 2>/dev/null || true; } >"$cache.read"
        awk 'NR == FNR { sum[substr($0, 67)] = substr($0, 1, 64); next }
          { path = substr($0, index($0, "\t") + 1); if (path in sum) print $0 "\t" sum[path] }' "$cache.read" "$cache.todo" >>"$cache.new"
      fi
      mv "$cache.new" "$cache"
      contents=$(sed 1d "$cache" | awk -F '\t' '{ print $2 "\t" $3 }' | sort | sha256sum | cut -c 1-64)
      names=$(find . -printf '%y %m %U:%G %l\t%p\n' 2>/dev/null | sort | sha256sum | cut -c 1-64)
      figures=$(sed 1d "$cache" | awk '{ bytes += $1 } END { printf "%d %.0f", NR, bytes }')
      echo "$volume $contents $names $figures $(($(wc -l <"$cache.now") - ${figures% *}))"
      rm -f "$cache.now" "$cache.todo" "$cache.read"
    done
    ;;
  counts)
    # Rows of each table, keys of each database of Redis, and NATS's streams. Nobody writes meanwhile. A table is read by COPY: to plan
    # a SELECT, Postgres runs functions of the table's owner with the rights of the role that asks, here the superuser's. No statement
    # has a table's name but by format(), since its owner chose it.
    docker exec --interactive "$(store postgres)" /bin/sh -eu <<'ROWS'
sql() { psql --no-psqlrc --quiet --no-align --tuples-only --field-separator=' ' --set=ON_ERROR_STOP=1 --host=/tmp --username=postgres "$@"; }
tables="FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
sql --dbname=postgres --command="SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate ORDER BY 1" </dev/null |
  while read -r database; do
    names="SELECT c.oid, translate(format('%I.%I', n.nspname, c.relname), E'\\n\\r', '  ') $tables ORDER BY 2"
    sql --dbname="$database" --command="$names" </dev/null | while read -r oid name; do
      copy="SELECT format('COPY %I.%I TO STDOUT', n.nspname, c.relname) $tables AND c.oid = $oid \\gexec"
      echo "rows $database.$name $(printf '%s\n' "$copy" | sql --dbname="$database" | wc -l)"
    done
  done
ROWS
    docker exec "$(store redis)" /bin/sh /etc/autollm/acl.sh cli info keyspace | tr -d '\r' | sed -n 's/^db/keys db/p'
    printf 'streams %s\n' "$(docker exec "$(store nats)" wget -q -T 10 -O - 'http://nats.nats:8222/jsz?streams=true&consumers=true&config=true' | tr -d '\n')"
    ;;
  beat) touch "$DIRECTORY/lease" ;;
  stop)
    # The way in first, then who writes. The stores still answer.
    touch "$DIRECTORY/lease"
    [ ! -e "$DIRECTORY/fenced" ] || fail "this host is fenced: the other one serves"
    # It may be about to start what an interrupted run stopped.
    systemctl stop "$unit.timer" "$unit.service" 2>/dev/null || true
    for former in "$DIRECTORY"/stopped.* "$DIRECTORY/resuming"; do
      [ ! -e "$former" ] || mv "$former" "$DIRECTORY/ran"
    done
    # A stop that was interrupted has stopped some of them already.
    { cat "$DIRECTORY/ran" 2>/dev/null || true; running | cut -d ' ' -f 1; } | sort -u >"$DIRECTORY/stopped.new"
    mv "$DIRECTORY/stopped.new" "$DIRECTORY/stopped.$ID"
    rm -f "$DIRECTORY/ran"
    arm
    # shellcheck disable=SC2046
    stop $(running | sed -n 's/^\(caddy\|edge-sockets\) //p')
    # shellcheck disable=SC2046
    stop $(running | grep -v '^\(postgres\|redis\|nats\) ' | cut -d ' ' -f 2)
    cat "$DIRECTORY/stopped.$ID"
    ;;
  stop-all)
    # shellcheck disable=SC2046
    stop $(running | cut -d ' ' -f 2)
    ;;
  start-stores)
    for each in postgres redis nats; do docker start "$(store "$each")" >/dev/null; done
    ;;
  switch)
    # The kill switch's directory as it is, or was when the host was fenced.
    if [ -e "$DIRECTORY/switch.tar" ]; then
      base64 -w 0 "$DIRECTORY/switch.tar"
    elif [ -d "$switch" ]; then
      tar -C "$switch" -c . | base64 -w 0
    fi
    ;;
  set-switch)
    mkdir -p "$switch"
    find "$switch" -mindepth 1 -delete
    [ -z "$CONTENT" ] || printf %s "$CONTENT" | base64 -d | tar -C "$switch" -x
    chmod 0755 "$switch"
    # A NATS that runs took its users by the former one.
    [ "$NAME" != reload ] || docker exec "$(store nats)" /bin/sh /etc/autollm/users.sh reload >/dev/null
    ;;
  fence)
    # By one rename: resume.sh renames the same file, and one of the two comes first.
    [ -e "$DIRECTORY/fenced" ] || mv "$DIRECTORY/stopped.$ID" "$DIRECTORY/fenced" 2>/dev/null ||
      fail "the old host has started again by itself, since it had no sign of this command for $LEASE s"
    sync "$DIRECTORY"
    seal
    ;;
  seal) seal ;;
  start)
    # Of each service that ran on the old host; an executor that the kill switch had stopped stays stopped.
    ids=''
    for service in $SERVICES; do
      ids="$ids $(of --filter "label=autollm.service=$service" | head -n 1)"
    done
    # shellcheck disable=SC2086
    docker start $ids >/dev/null
    ;;
  health)
    for service in $SERVICES; do look_at "$service" & done
    wait
    ;;
  resume)
    # The move is taken back: what ran, runs again.
    for former in "$DIRECTORY"/stopped.*; do
      [ ! -e "$former" ] || mv "$former" "$DIRECTORY/resuming"
    done
    unarm
    if [ -e "$DIRECTORY/resuming" ]; then
      while read -r service; do
        docker start "$(of --filter "label=autollm.service=$service" </dev/null | head -n 1)" >/dev/null </dev/null
      done <"$DIRECTORY/resuming"
      rm -f "$DIRECTORY/resuming"
    fi
    ;;
  wipe)
    ids=$(of)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || docker rm --force --volumes $ids >/dev/null
    networks=$(docker network ls --quiet --filter "label=autollm.stack=$STACK")
    # shellcheck disable=SC2086
    [ -z "$networks" ] || docker network rm $networks >/dev/null
    volumes=$(docker volume ls --quiet --filter "label=autollm.stack=$STACK")
    # shellcheck disable=SC2086
    [ -z "$volumes" ] || docker volume rm $volumes >/dev/null
    rm -rf "$FILES" "$DIRECTORY/sums" "$DIRECTORY/state.json" "$DIRECTORY/switch.tar" "$DIRECTORY/resume.sh"
    echo "$(echo "$ids" | grep -c .) containers, $(echo "$networks" | grep -c .) networks, $(echo "$volumes" | grep -c .) volumes"
    ;;
  *) fail "unknown action $ACTION" ;;
esac
