#!/bin/bash
# Written by Pulumi (host step firewall). Looks at the firewall after each change of the kernel's rules and at least every
# 20 s, and puts back what somebody removed: our table, Docker's rules, fail2ban's bans. With the word `once` it looks once.
set -uo pipefail
export LC_ALL=C
rules=/etc/autollm/firewall.nft
loader=/usr/local/lib/autollm/firewall
other_firewalls=/usr/local/lib/autollm/other-firewalls
lock=/var/lib/autollm/host/firewall.lock
metrics=/var/lib/autollm/metrics/firewall.prom
counts=/run/autollm-firewall
every=20
# A restart of Docker makes its rules again; after one that does not help, the next waits for so many seconds.
docker_pause=300
docker_next=0
mkdir -p "$counts"

restored() {
  echo "$1 had been removed or changed by somebody, and are restored"
  echo $(($(cat "$counts/$1" 2>/dev/null || echo 0) + 1)) > "$counts/$1"
}

# The declared rules are loaded where nothing goes through, and both printed.
ours() {
  local want
  want=$(unshare --net sh -c "nft -f $rules && nft --stateless --terse list table inet autollm" 2>/dev/null)
  [ -z "$want" ] || [ "$want" = "$(nft --stateless --terse list table inet autollm 2>/dev/null)" ]
}

# Docker's jumps in the chains of the kernel, or the table of its nftables backend.
dockers() {
  { iptables -w 5 -S FORWARD && iptables -w 5 -t nat -S PREROUTING; } 2>/dev/null |
    awk '/^-A FORWARD .*DOCKER/ { forward = 1 } /^-A PREROUTING .*DOCKER/ { nat = 1 } END { exit !(forward && nat) }' ||
    nft list table ip docker-bridges >/dev/null 2>&1
}

# fail2ban makes its table with the first ban, and removes it when it stops. It is asked only when the table has gone, or
# when other rules were removed: with them, a table that no look has seen yet may have gone.
bans() {
  local jail banned
  if nft list table inet f2b-table >/dev/null 2>&1; then
    touch "$counts/banned"
    return 0
  fi
  [ -e "$counts/banned" ] || [ -n "$wiped" ] || return 0
  rm -f "$counts/banned"
  for jail in sshd autollm-edge; do
    banned=$(fail2ban-client get "$jail" banip 2>/dev/null | tr -d '[:space:]')
    [ -z "$banned" ] || return 1
  done
}

tell() {
  local what who active
  [ -d "$(dirname "$metrics")" ] || return 0
  {
    echo "# HELP host_firewall_restored_total How often rules that somebody had removed or changed were restored, since the host's boot."
    echo "# TYPE host_firewall_restored_total counter"
    for what in rules docker bans; do
      echo "host_firewall_restored_total{what=\"$what\"} $(cat "$counts/$what" 2>/dev/null || echo 0)"
    done
    echo "# HELP host_firewall_other Whether another program manages the host's firewall as well."
    echo "# TYPE host_firewall_other gauge"
    active=$("$other_firewalls" | cut -d " " -f 1)
    for who in ufw firewalld nftables; do
      echo "host_firewall_other{program=\"$who\"} $(grep -cx "$who" <<< "$active")"
    done
    echo "# HELP host_firewall_checked_timestamp_seconds When the firewall was last seen to be as declared."
    echo "# TYPE host_firewall_checked_timestamp_seconds gauge"
    echo "host_firewall_checked_timestamp_seconds $(cat "$counts/seen" 2>/dev/null || echo 0)"
  } > "$metrics.new" && chmod 0644 "$metrics.new" && mv -f "$metrics.new" "$metrics"
}

look() {
  local good=yes wiped=''
  # A step that is at work changes file and rules itself.
  exec 9>"$lock" && flock --nonblock 9 || return 0
  [ -f "$rules" ] || return 0
  if ! ours; then
    wiped=yes
    if "$loader" && ours; then restored rules; else good=''; fi
  fi
  if systemctl is-active --quiet docker.service && ! dockers; then
    good=''
    if [ "$SECONDS" -ge "$docker_next" ]; then
      # Containers go on running meanwhile (live restore).
      if systemctl restart docker.service && dockers; then
        restored docker
        good=yes
      else
        docker_next=$((SECONDS + docker_pause))
      fi
    fi
  fi
  if ! bans; then
    if systemctl restart fail2ban.service; then restored bans; fi
  fi
  [ -z "$good" ] || date +%s > "$counts/seen"
  tell
  exec 9>&-
}

if [ "${1:-}" = once ]; then
  look
  exit
fi
coproc monitor { exec nft monitor rules; }
while :; do
  look
  # The first change, or the time; then what comes with it: who replaces rules makes many changes.
  read -r -t "$every" -u "${monitor[0]}" _
  [ $? -ne 1 ] || exit 1
  while read -r -t 1 -u "${monitor[0]}" _; do :; done
done
