#!/bin/sh
# Asks a page of this container and ends with 0 when the answer is good, by whichever program the image has: see HEALTH_PROGRAMS
# in components/platform/imageStart.ts. Usage: health.sh PORT PATH
set -eu
url="http://127.0.0.1:$1$2"
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY

has() { command -v "$1" >/dev/null 2>&1; }

if has wget; then
  exec wget -q -O /dev/null "$url"
elif has curl; then
  exec curl --fail --silent --show-error --max-time 4 --output /dev/null "$url"
elif has python3; then
  exec python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=4)' "$url"
elif has node; then
  exec node -e 'fetch(process.argv[1]).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))' "$url"
elif has bash; then
  # shellcheck disable=SC2016
  exec bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "GET %s HTTP/1.0\r\n\r\n" "$2" >&3 && read -r _ status _ <&3 && [[ $status == 2* ]]' bash "$1" "$2"
fi
echo 'health.sh: the image has none of wget, curl, python3, node and bash' >&2
exit 1
