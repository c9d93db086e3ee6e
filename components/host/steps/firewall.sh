#!/bin/sh
# Written by Pulumi (host step firewall). Loads the rules together with the host's name servers, in one transaction;
# with the word `resolvers` it only adds the name servers of now to the rules that are loaded.
set -u
rules=/etc/autollm/firewall.nft

# Docker takes the second file where the first names the local stub of systemd-resolved alone.
servers() {
  cat /etc/resolv.conf /run/systemd/resolve/resolv.conf 2>/dev/null | awk -v family="$1" '
    $1 != "nameserver" { next }
    family == 4 && $2 ~ /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/ && $2 !~ /^127\./ { print $2 }
    family == 6 && $2 ~ /^[0-9a-fA-F:]+$/ && $2 ~ /:.*:/ && $2 != "::1" && tolower($2) !~ /^fe[89ab]/ { print $2 }' |
    sort -u | paste -s -d , -
}

elements() {
  for family in 4 6; do
    found=$(servers "$family")
    [ -z "$found" ] || echo "add element inet autollm resolvers$family { $found }"
  done
}

if [ "${1:-}" = resolvers ]; then
  nft list set inet autollm resolvers4 >/dev/null 2>&1 || exit 0
  elements | nft -f -
else
  # A name server that nft does not take must not keep the rules from being loaded.
  { cat "$rules"; elements; } | nft -f - || nft -f "$rules"
fi
