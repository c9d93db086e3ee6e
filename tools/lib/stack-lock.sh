#!/bin/sh
# Takes, confirms and gives back the lock of a stack, on the machine where all who change the stack meet.
# The variables come in front of it: ACTION, DIRECTORY, NAME, ID, RECORD (one line), STALE (seconds), DEAD (an id, or empty), MOVE (the
# directory of the stack's move on this machine, or empty).
# Answers one word, and for a lock that another holds its age in seconds and its record. Who takes or keeps it is told of a move besides:
#   moving ADDRESS           one to that host is not finished
#   moved ADDRESS            the stack is on that host by now
set -eu
umask 022
: "${ACTION:?}" "${DIRECTORY:?}" "${NAME:?}" "${ID:?}" "${RECORD:=}" "${STALE:=300}" "${DEAD:=}" "${MOVE:=}"
lock="$DIRECTORY/$NAME"
mkdir -p "$DIRECTORY"
# In a directory that accounts share, nobody may remove another's lock. A user's own directory stays as it is.
case $DIRECTORY in /run/lock/* | /tmp/*) chmod 1777 "$DIRECTORY" 2>/dev/null || true ;; esac
[ -e "$lock.guard" ] || : >"$lock.guard"
exec 9<"$lock.guard"
# One script at a time looks and writes. Without flock (macOS) the window between the two is some milliseconds.
if command -v flock >/dev/null 2>&1; then
  flock -w 60 9 || { echo "another run of this script has been at work for a minute: $lock.guard" >&2; exit 1; }
fi

id_of() { sed -n 1p "$lock" 2>/dev/null || true; }
age_of() { echo $(($(date +%s) - $(stat -c %Y "$lock" 2>/dev/null || stat -f %m "$lock"))); }
take() {
  printf '%s\n%s\n' "$ID" "$RECORD" >"$lock.$ID"
  mv -f "$lock.$ID" "$lock"
}

tell_move() {
  [ -n "$MOVE" ] && [ -e "$MOVE/record" ] && [ ! -e "$MOVE/finished" ] || return 0
  word=moving
  [ ! -e "$MOVE/fenced" ] || word=moved
  { cat "$MOVE/record"; echo; } | sed -n "s/.*\"to\":{\"address\":\"\([^\"]*\)\".*/$word \1/p"
}

case $ACTION in
  take)
    if [ ! -e "$lock" ]; then
      take
      echo taken
      tell_move
    elif [ "$(id_of)" = "$DEAD" ] || [ "$(age_of)" -gt "$STALE" ]; then
      age=$(age_of) before=$(sed -n 2p "$lock")
      take
      printf 'inherited %s\n%s\n' "$age" "$before"
      tell_move
    else
      printf 'held %s\n%s\n%s\n' "$(age_of)" "$(sed -n 2p "$lock")" "$(id_of)"
    fi
    ;;
  look)
    if [ -e "$lock" ]; then printf 'held %s\n%s\n%s\n' "$(age_of)" "$(sed -n 2p "$lock")" "$(id_of)"; else echo free; fi
    ;;
  beat)
    if [ "$(id_of)" = "$ID" ]; then
      touch "$lock"
      echo ok
      tell_move
    else
      echo lost
    fi
    ;;
  release)
    if [ "$(id_of)" = "$ID" ]; then rm -f "$lock"; fi
    echo released
    ;;
  *)
    echo "unknown action $ACTION" >&2
    exit 64
    ;;
esac
