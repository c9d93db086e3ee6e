#!/bin/sh
# Sets, keeps, releases or reads the platform's kill switch, on the machine of the stack's Docker. Neither the engine nor NATS is needed.
# The variables come in front of it: ACTION, DIRECTORY (of the switch), STACK, DOCKER (the daemon's address), EXECUTORS (their
# services), USERS (their numeric users), RECORD (what the file says; at its end who ends it, as JSON), MOVED (a file that is there
# once the stack serves on another host, or empty).
# Answers a line for each thing that was done, or could not be:
#   on | off | kept          the switch (kept: it was on already)
#   stopped NAME             an executor's container that ran
#   started NAME             one that was stopped by the switch
#   running NAME             an executor that could not be stopped
#   failed NAME              an executor that could not be started
#   absent SERVICE           an executor that ran and has no container any more
#   waiting JSON             approved orders that no executor has confirmed (services/backup/src/streamsOrders.ts)
#   discarded JSON           those that no executor is given any more
#   undiscarded              they could not be discarded, so the switch stays on
#   unrecorded               what was discarded could not be noted
#   nats refuses | nats down | nats behind    whether NATS has taken its users for this state
#   no-docker                Docker does not answer
#   moved                    the stack is on another host by now: the switch of this one stays on
set -eu
umask 022
: "${ACTION:?}" "${DIRECTORY:?}" "${STACK:?}" "${DOCKER:?}" "${EXECUTORS:?}" "${USERS:?}" "${RECORD:=}" "${MOVED:=}"
switch=$DIRECTORY/on.prom
# The services whose containers the switch stopped: those alone are started again.
stopped=$DIRECTORY/stopped
# Who set and released it, and the orders that were discarded: a line of JSON each time. No container reads it.
history=$DIRECTORY/history.jsonl

# Nobody waits for a daemon that hangs: within SECONDS ARGUMENT...
within() {
  seconds=$1
  shift
  timeout "$seconds" docker --host "$DOCKER" "$@"
}
docker() { within 5 "$@"; }
# The stack's running containers, the newest first: id, service, state, name.
list() {
  within "$1" ps --no-trunc --filter "label=autollm.stack=$STACK" --format '{{.ID}} {{.Label "autollm.service"}} {{.State}} {{.Names}}'
}
# The executors among the lines on stdin.
executors() {
  while read -r id service state name; do
    case " $EXECUTORS " in *" $service "*) echo "$id $service $state $name" ;; esac
  done
}

# NATS takes the users that belong to the switch's state; one that is down takes them when it starts.
tell_nats() {
  nats=$(echo "$1" | sed -n 's/^\([^ ]*\) nats .*/\1/p' | head -n 1)
  if [ -z "$nats" ]; then
    echo 'nats down'
  elif docker exec "$nats" /bin/sh /etc/autollm/users.sh reload >/dev/null 2>&1; then
    echo 'nats refuses'
  else
    echo 'nats behind'
  fi
}

# orders WGET_OPTION...: asks the stream keeper about the approved orders that wait.
orders() {
  keeper=$(list 5 | sed -n 's/^\([^ ]*\) nats-streams .*/\1/p' | head -n 1)
  [ -n "$keeper" ] && within 30 exec "$keeper" wget -q -O - "$@"
}

# What the file says of who set the switch, when and why; nothing where somebody else made the file.
detail() { sed -n 's/^# \({.*\)/\1/p' "$switch" 2>/dev/null || true; }

# Prints the orders that no executor is given any more. Only while NATS has no executors and takes no approved order; it may
# have been started a moment ago.
discard() {
  # Without NATS there is no stream.
  [ -n "$(docker ps --all --quiet --filter "label=autollm.stack=$STACK" --filter label=autollm.service=nats)" ] || { echo '[]'; return; }
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    if [ "$(tell_nats "$(list 5)")" = 'nats refuses' ] && orders --post-data=all http://127.0.0.1:9191/orders/discard 2>/dev/null; then
      return
    fi
    sleep 2
  done
  return 1
}

# stop ID STATE: it is asked to end, and has 0.3 s: it may be writing down what it has just bought. One that is paused is
# not woken.
stop() {
  if [ "$2" = running ]; then
    docker kill --signal TERM "$1" >/dev/null 2>&1 || true
    sleep 0.3
  fi
  docker kill "$1" >/dev/null 2>&1 || true
}

# Without Docker, root ends the executors' processes by their users: those of every stack on this machine.
end_processes() {
  [ "$(id -u)" -eq 0 ] || return 0
  for process in /proc/[0-9]*; do
    owner=$(stat -c %u "$process" 2>/dev/null) || continue
    case " $USERS " in *" $owner "*) kill -KILL "${process#/proc/}" 2>/dev/null || true ;; esac
  done
}

# Stops the executors among the lines.
stop_all() {
  stopping=''
  while read -r id service state name; do
    [ -n "$id" ] || continue
    grep -qx "$service" "$stopped" 2>/dev/null || echo "$service" >>"$stopped"
    { stop "$id" "$state" && echo "stopped $name"; } &
    stopping="$stopping $!"
  done <<EOF
$(echo "$1" | executors)
EOF
  # shellcheck disable=SC2086
  [ -z "$stopping" ] || wait $stopping
}

# Twice: one may have been about to start when the switch was set. One that starts from then on waits.
hold() {
  stop_all "$1"
  stop_all "$(list 5)"
  list 5 | executors | while read -r _ _ _ name; do echo "running $name"; done
}

if [ -n "$MOVED" ] && [ -e "$MOVED" ]; then
  echo moved
  [ "$ACTION" != off ] || ACTION=status
fi

case $ACTION in
  on)
    mkdir -p "$DIRECTORY"
    chmod 0755 "$DIRECTORY"
    if [ -e "$switch" ]; then
      echo kept
    else
      # On a full disk an empty file does as well.
      { printf '%s' "$RECORD" >"$switch.new" && mv "$switch.new" "$switch"; } 2>/dev/null || : >"$switch"
      echo on
    fi
    if containers=$(list 2 2>/dev/null); then
      tell_nats "$containers" &
      hold "$containers"
      wait
    else
      echo no-docker
      end_processes
    fi
    # After a power cut the switch is still on. Nobody who stops trading waits for a slow disk, so this comes last.
    timeout 5 sync "$switch" "$DIRECTORY" || true
    ;;
  hold)
    # After an update, which may have made new containers: they wait, and are stopped as the others are.
    if [ -e "$switch" ]; then
      hold "$(list 5)"
      echo on
    else
      echo off
    fi
    ;;
  off)
    # They are started while the switch is on, and wait for its end: so their health has the whole start period.
    if [ -e "$switch" ]; then
      # First, while no executor can read: it must not trade at other prices what somebody approved before.
      if ! discarded=$(discard); then
        printf 'undiscarded\non\n'
        exit
      fi
      printf 'discarded %s\n' "$discarded"
      set_by=$(detail)
      (umask 077 && printf '{"on":%s,"off":%s,"discarded":%s}\n' "${set_by:-null}" "${RECORD:-null}" "$discarded" >>"$history") ||
        echo unrecorded
      services=$(cat "$stopped" 2>/dev/null || true)
      for each in $services; do
        # The newest: an update may have left a former one.
        name=$(docker ps --all --filter "label=autollm.stack=$STACK" --filter "label=autollm.service=$each" --format '{{.Names}}' | head -n 1)
        if [ -z "$name" ]; then
          echo "absent $each"
        elif within 60 restart "$name" >/dev/null; then
          echo "started $name"
        else
          echo "failed $name"
        fi
      done
      # A directory, too: any file of that name sets it.
      rm -rf "$switch"
      rm -f "$stopped"
      tell_nats "$(list 5)"
    fi
    echo off
    ;;
  status)
    if [ -e "$switch" ]; then
      echo on
      detail
    else
      echo off
    fi
    ;;
  orders)
    if waiting=$(orders http://127.0.0.1:9191/orders 2>/dev/null); then printf 'waiting %s\n' "$waiting"; fi
    ;;
  *)
    echo "unknown action $ACTION" >&2
    exit 64
    ;;
esac
