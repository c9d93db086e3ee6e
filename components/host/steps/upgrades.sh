#!/bin/sh
# Written by Pulumi (host step upgrades). Tells as metrics which security fixes wait and whether a reboot does; with the word
# `install` it installs them first.
set -u
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
metrics=${UPGRADES_METRICS:-/var/lib/autollm/metrics}/upgrades.prom
state=${UPGRADES_STATE:-/var/lib/autollm/host}
# Docker's packages, Debian's and its own, and what they need to run a container.
engine="docker.io docker-cli containerd runc docker-ce docker-ce-cli containerd.io"
failed=0

if apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=2 -o APT::Update::Error-Mode=any update; then
  touch "$state/upgrades-checked"
else
  echo "the lists of packages could not be fetched" >&2
  failed=1
fi

if [ "${1:-}" = install ]; then
  tries=0
  # A hold, of an earlier version of the platform or of an interrupted `up`, would keep the fixes of these out. Another apt may be
  # at work: both fail then.
  # shellcheck disable=SC2086
  until
    apt-mark -qq unhold $engine >/dev/null 2>&1
    unattended-upgrade
  do
    tries=$((tries + 1))
    if [ "$tries" -ge 3 ]; then failed=1; break; fi
    sleep 120
  done
fi

# Security fixes of installed packages, a line each: package and version. Docker's own repository has no other kind of update.
fixes() {
  apt-get -s -o Debug::NoLocking=true "$@" dist-upgrade | awk '
    /^Inst / && $3 ~ /^\[/ && /[ ,](Debian-Security|Docker CE):/ { sub(/^\(/, "", $4); print $2, $4 }'
}

fixes > "$state/upgrades-installable" &&
  # What a pinned version or a hold keeps out is lacking, too.
  fixes -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null --ignore-hold > "$state/upgrades-available" || exit 1
touch "$state/upgrades-waiting"
# Since when a package waits for a fix: also when a later fix takes the place of one that was never installed.
awk -v now="$(date +%s)" -v engine=" $engine " '
  FILENAME ~ /waiting$/ { since[$1] = $3; next }
  FILENAME ~ /installable$/ { installable[$1] = 1; next }
  {
    group = index(engine, " " $1 " ") ? "docker" : $1 ~ /^linux-/ ? "kernel" : "other"
    print $1, $2, ($1 in since) ? since[$1] : now, group, ($1 in installable) ? "no" : "yes"
  }' "$state/upgrades-waiting" "$state/upgrades-installable" "$state/upgrades-available" > "$state/upgrades-waiting.new" || exit 1
mv -f "$state/upgrades-waiting.new" "$state/upgrades-waiting"
while read -r package version _ _ withheld; do
  case $withheld in yes) why=", kept out by a pinned version or a hold" ;; *) why="" ;; esac
  echo "security fix waiting: $package $version$why"
done < "$state/upgrades-waiting"

# The newest installed kernel of the kind that runs, such as amd64 or cloud-amd64; nothing in a container.
running=$(uname -r)
newest=$(for image in /boot/vmlinuz-*; do
  release=${image#/boot/vmlinuz-}
  if [ -e "$image" ] && [ "${release#*-}" = "${running#*-}" ]; then echo "$release"; fi
done | sort -V | tail -n 1)
reboot=0
if [ -e /run/reboot-required ] || { [ -n "$newest" ] && [ "$newest" != "$running" ]; }; then reboot=1; fi

{
  echo "# HELP host_security_fixes_waiting Security fixes that are not installed; withheld ones are kept out by a pinned version or a hold."
  echo "# TYPE host_security_fixes_waiting gauge"
  for group in docker kernel other; do
    for withheld in no yes; do
      echo "host_security_fixes_waiting{group=\"$group\",withheld=\"$withheld\"} $(grep -c " $group $withheld\$" "$state/upgrades-waiting")"
    done
  done
  echo "# HELP host_security_fixes_oldest_timestamp_seconds Since when the oldest of them waits."
  echo "# TYPE host_security_fixes_oldest_timestamp_seconds gauge"
  awk '{ key = "group=\"" $4 "\",withheld=\"" $5 "\""; if (!(key in oldest) || $3 < oldest[key]) oldest[key] = $3 }
    END { for (key in oldest) print "host_security_fixes_oldest_timestamp_seconds{" key "} " oldest[key] }' "$state/upgrades-waiting"
  echo "# HELP host_security_checked_timestamp_seconds When the lists of packages were last fetched."
  echo "# TYPE host_security_checked_timestamp_seconds gauge"
  echo "host_security_checked_timestamp_seconds $(stat -c %Y "$state/upgrades-checked" 2>/dev/null || echo 0)"
  echo "# HELP host_reboot_required Whether what is installed takes effect only by a reboot."
  echo "# TYPE host_reboot_required gauge"
  echo "host_reboot_required $reboot"
  echo "# HELP host_kernel_info The kernel that runs, and the newest one that is installed."
  echo "# TYPE host_kernel_info gauge"
  echo "host_kernel_info{running=\"$running\",installed=\"$newest\"} 1"
} > "$metrics.new" && chmod 0644 "$metrics.new" && mv -f "$metrics.new" "$metrics" || exit 1
exit "$failed"
