#!/bin/sh
# Prints the programs that manage this host's firewall as well, and would remove or contradict the platform's rules: a line for each,
# its name and the command that turns it off.
set -eu
if grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf && command -v ufw >/dev/null; then echo "ufw ufw disable"; fi
if systemctl is-active --quiet firewalld.service; then echo "firewalld systemctl disable --now firewalld"; fi
if { systemctl is-active --quiet nftables.service || systemctl is-enabled --quiet nftables.service; } 2>/dev/null &&
  grep -qs '^[[:space:]]*flush ruleset' /etc/nftables.conf; then echo "nftables systemctl disable nftables"; fi
