#!/bin/sh
# Runs in a container of the stack's Redis image, without a network. Reads a dump on stdin, keeps the keys of one database that a
# service owns, and writes a line that says what there was, then the dump of what is kept. With FACTS=1: the line alone.
set -eu
PATH=/usr/local/bin:$PATH
cd /tmp
cat >dump.rdb
if [ ! -s dump.rdb ]; then
  echo "the old Redis sent no dump" >&2
  exit 1
fi
redis-server --port 0 --unixsocket /tmp/socket --dir /tmp --save '' --appendonly no --enable-debug-command local >log &
server=$!
cli() { redis-cli -s /tmp/socket "$@"; }
until [ "$(cli ping 2>/dev/null)" = PONG ]; do
  if ! kill -0 "$server" 2>/dev/null; then
    echo "the stack's Redis cannot read the old one's dump: $(grep -E ' # ' log | tail -n 3)" >&2
    exit 1
  fi
  sleep 0.1
done
if [ "$DATABASE" != 0 ]; then cli swapdb 0 "$DATABASE" >/dev/null; fi
found=$(cli --raw eval "$SCRIPT" 0 "$PATTERNS")
cli save >/dev/null
# Keys that expire by themselves differ from one moment to the next, so the checksum is of the others.
cp dump.rdb kept.rdb
cli eval "for _, key in ipairs(redis.call('keys', '*')) do if redis.call('ttl', key) >= 0 then redis.call('unlink', key) end end" 0 >/dev/null
digest=$(cli --raw debug digest)
keys=$(redis-check-rdb kept.rdb | sed -n 's/.* \([0-9]*\) keys read.*/\1/p')
printf '{"found":%s,"keys":%s,"permanent":%s,"digest":"%s"}\n' "$found" "${keys:-0}" "$(cli --raw dbsize)" "$digest"
if [ "${FACTS-}" != 1 ]; then cat kept.rdb; fi
