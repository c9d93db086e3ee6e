#!/bin/sh
# Starts a program that reads plain environment variables from granted files, so that neither `docker inspect` nor the
# stack's state shows a value. Usage: start.sh PROGRAM [ARGUMENT...]
#   /run/secrets/env/NAME   becomes the environment variable NAME of the program, verbatim but for one last newline
#   REDIS_URL, NATS_URL     are completed with user and password, for programs that take one URL
#   SSL_CERT_FILE, ...      name a file of the authorities that the image trusts and the platform's own, of NATS_CA_PATH
#   HOME                    is /tmp where the one that is set, or the image's own, cannot be written to
#   AUTOLLM_UMASK           becomes the umask, for a service that shares a volume
#   @@NATS_USER@@           in such a file is NATS_USER, which may be known only when the container is made
# While the platform's kill switch is on, an executor's program is not started: KILL_SWITCH_FILE in killSwitch.ts.
# AUTOLLM_SECRET_ENV_DIR names another directory, AUTOLLM_SCRATCH another than /tmp, AUTOLLM_KILL_SWITCH another than
# /run/kill-switch (for tests).
set -eu

fail() {
  printf 'start.sh: %s\n' "$1" >&2
  exit 64
}

# Percent-encodes what may not stand in the user part of a URL (RFC 3986); the usual passwords stay readable.
encode() {
  case $1 in
    *[!A-Za-z0-9._~-]*) printf '%s' "$1" | od -An -v -tx1 | tr -d '\n' | tr -s ' ' | sed 's/ $//; s/ /%/g' ;;
    *) printf '%s' "$1" ;;
  esac
}

# with_login URL USER PASSWORD: the URL with a login, unless it has one.
with_login() {
  rest=${1#*://}
  case ${rest%%/*} in
    *@*) printf '%s' "$1" ;;
    *) printf '%s://%s:%s@%s' "${1%%://*}" "$(encode "$2")" "$(encode "$3")" "$rest" ;;
  esac
}

[ "$#" -gt 0 ] || fail 'no program was named'

# Only executors have this directory; the policy kill-switch-obeyed sees to it that each of them does.
switch=${AUTOLLM_KILL_SWITCH:-/run/kill-switch}
if [ -e "$switch" ]; then
  # Of a directory that cannot be entered nobody knows what is in it.
  if [ -e "$switch/on.prom" ] || [ ! -x "$switch" ]; then
    echo 'start.sh: the kill switch is on: the program starts when it is off' >&2
    while [ -e "$switch/on.prom" ] || [ ! -x "$switch" ]; do sleep 1; done
    # NATS takes its users back at the same time.
    sleep 1
  fi
fi
unset switch

newline='
'
mark=@@NATS_USER@@
for file in "${AUTOLLM_SECRET_ENV_DIR:-/run/secrets/env}"/*; do
  [ -e "$file" ] || continue
  name=${file##*/}
  case $name in
    [!A-Z]* | *[!A-Z0-9_]*) fail "$name: not a name for an environment variable (A-Z, 0-9 and _)" ;;
    PATH | IFS | ENV | HOME | LD_* | NODE_* | PYTHON*) fail "$name: steers the program itself and is no credential" ;;
  esac
  if [ ! -f "$file" ] || [ ! -r "$file" ]; then fail "$name: is not a readable file"; fi
  # A command substitution drops every newline at the end; the x keeps all but the last.
  value=$(cat "$file" && printf x)
  value=${value%x}
  value=${value%"$newline"}
  # An executor's user of NATS belongs to its container alone.
  while [ -n "${NATS_USER:-}" ]; do
    case $value in *"$mark"*) value=${value%%"$mark"*}$NATS_USER${value#*"$mark"} ;; *) break ;; esac
  done
  export "$name=$value"
done
unset file name value mark

if [ -n "${REDIS_PASSWORD:-}" ]; then
  REDIS_URL=$(with_login "${REDIS_URL:-redis://${REDIS_HOST:-redis}:${REDIS_PORT:-6379}/${REDIS_DB:-0}}" "${REDIS_USERNAME:-}" "$REDIS_PASSWORD")
  export REDIS_URL
fi
if [ -n "${NATS_PASSWORD:-}" ] && [ -n "${NATS_USER:-}" ]; then
  NATS_URL=$(with_login "${NATS_URL:-tls://nats:4222}" "$NATS_USER" "$NATS_PASSWORD")
  export NATS_URL
fi

scratch=${AUTOLLM_SCRATCH:-/tmp}
if [ -n "${AUTOLLM_UMASK:-}" ]; then umask "$AUTOLLM_UMASK"; fi
unset AUTOLLM_UMASK
# A home that is set may be a folder of what is writable, which is empty at first.
if [ -n "${HOME:-}" ]; then mkdir -p "$HOME" 2>/dev/null || :; fi
# An image knows nothing of the user that it runs as, who has no home.
if [ -z "${HOME:-}" ] || [ ! -w "$HOME" ]; then export HOME="$scratch"; fi

if [ -n "${NATS_CA_PATH:-}" ]; then
  own=''
  # Where the usual systems have the authorities that they trust: Debian and Alpine, Red Hat, BSD and Alpine, SUSE.
  for file in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem \
    /etc/ssl/ca-bundle.pem; do
    if [ -n "$file" ] && [ -r "$file" ]; then
      own=$file
      break
    fi
  done
  bundle=$scratch/ca-bundle.pem
  # A last line without a newline must not run into the next certificate.
  { [ -z "$own" ] || cat "$own"; echo; cat "$NATS_CA_PATH"; } >"$bundle.new"
  mv "$bundle.new" "$bundle"
  export SSL_CERT_FILE="$bundle" NODE_EXTRA_CA_CERTS="$NATS_CA_PATH" CA_BUNDLE_PATH="$bundle"
  # These take the place of what a library brings along: only where the system's own are in the bundle.
  [ -z "$own" ] || export REQUESTS_CA_BUNDLE="$bundle" CURL_CA_BUNDLE="$bundle"
fi
unset scratch own file bundle

exec "$@"
