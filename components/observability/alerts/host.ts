import { type AlertGroup, DAY } from "./alert.ts";

const MAX_CPU = 0.8;
const MAX_MEMORY = 0.9;
const MIN_DISK = 0.1;
const FULL = 0.03;
/** Share of free space below which its end is worth predicting. */
const PREDICTED_BELOW = 0.4;
const MIN_INODES = 0.05;
const MAX_CLOCK_OFFSET_SECONDS = 0.05;
/** The watcher looks every 20 s. */
const FIREWALL_UNWATCHED_SECONDS = 120;
/** The kernel's own sign of a clock that is not corrected. */
const UNSYNCHRONISED_ERROR_SECONDS = 16;

/** File systems that hold something: those in memory and read-only images do not fill up. */
const DISKS = 'fstype!~"tmpfs|ramfs|squashfs|iso9660"';

/** The host itself. */
export const hostAlerts: readonly AlertGroup[] = [
  {
    name: "host",
    alerts: [
      {
        name: "HighCPUUsage",
        expr: `1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])) > ${MAX_CPU}`,
        for: "5m",
        severity: "warning",
        service: "host",
        subject: "cpu",
        summary: "The host's CPUs are {{ $value | humanizePercentage }} busy",
        description: "Over 5 minutes and all cores.",
      },
      {
        name: "HighMemoryUsage",
        // Both sides are of one exporter and carry the same labels.
        expr: `1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes > ${MAX_MEMORY}`,
        for: "5m",
        severity: "warning",
        service: "host",
        subject: "memory",
        summary: "The host's memory is {{ $value | humanizePercentage }} used",
        description: "Memory that can be freed at once counts as free.",
      },
      {
        name: "DiskSpaceRunningLow",
        expr: `node_filesystem_avail_bytes{${DISKS}} / node_filesystem_size_bytes{${DISKS}} < ${MIN_DISK}`,
        for: "5m",
        severity: "warning",
        service: "host",
        subject: "disk",
        summary: "{{ $labels.mountpoint }} has {{ $value | humanizePercentage }} left",
        description: "A full disk stops the databases.",
      },
      {
        name: "DiskFillsWithinADay",
        // A line through a few minutes says nothing about a day, and an almost empty disk needs no alert.
        expr: `predict_linear(node_filesystem_avail_bytes{${DISKS}}[6h], ${DAY}) < 0 and node_filesystem_avail_bytes{${DISKS}} / node_filesystem_size_bytes{${DISKS}} < ${PREDICTED_BELOW} and node_filesystem_avail_bytes{${DISKS}} offset 2h`,
        for: "30m",
        severity: "warning",
        service: "host",
        subject: "disk",
        summary: "{{ $labels.mountpoint }} will be full within a day at this rate",
        description: "The line through the last 6 hours meets zero.",
      },
      {
        name: "DiskFull",
        expr: `node_filesystem_avail_bytes{${DISKS}} / node_filesystem_size_bytes{${DISKS}} < ${FULL}`,
        for: "1m",
        severity: "critical",
        service: "host",
        subject: "disk",
        summary: "{{ $labels.mountpoint }} has {{ $value | humanizePercentage }} left",
        description: "Writes are about to fail, or already fail.",
      },
      {
        name: "InodesRunningLow",
        expr: `node_filesystem_files_free{${DISKS}} / (node_filesystem_files{${DISKS}} > 0) < ${MIN_INODES}`,
        for: "5m",
        severity: "warning",
        service: "host",
        subject: "inodes",
        summary: "{{ $labels.mountpoint }} has {{ $value | humanizePercentage }} of its inodes left",
        description: "Without free inodes no new file can be created, however much space is left.",
      },
      {
        name: "ClockSkew",
        expr: `abs(node_timex_offset_seconds) > ${MAX_CLOCK_OFFSET_SECONDS}`,
        for: "5m",
        severity: "warning",
        service: "host",
        subject: "clock",
        summary: "The host's clock is {{ $value | humanizeDuration }} off",
        description: "Order times, tokens and signatures depend on it.",
      },
      {
        name: "ClockNotSynchronised",
        expr: `min_over_time(node_timex_sync_status[5m]) == 0 and node_timex_maxerror_seconds >= ${UNSYNCHRONISED_ERROR_SECONDS}`,
        for: "10m",
        severity: "warning",
        service: "host",
        subject: "clock",
        summary: "No time service corrects the host's clock",
        description: "It does not run, or reaches no server.",
      },
      {
        name: "FirewallRestored",
        expr: "increase(host_firewall_restored_total[1h]) > 0",
        for: "0s",
        severity: "warning",
        service: "host",
        subject: "firewall-{{ $labels.what }}",
        summary: "The host's firewall ({{ $labels.what }}) was removed or changed, and restored",
        description: "For some seconds its ports were open, or its containers had no network.",
        needs: "host",
      },
      {
        name: "FirewallNotAsDeclared",
        expr: `time() - host_firewall_checked_timestamp_seconds > ${FIREWALL_UNWATCHED_SECONDS} or absent(host_firewall_checked_timestamp_seconds)`,
        for: "2m",
        severity: "critical",
        service: "host",
        subject: "firewall",
        summary: "The host's firewall is not as declared, or is not watched",
        description: "Ports may be open that should not be, or containers may have no network.",
        needs: "host",
      },
      {
        name: "OtherFirewall",
        expr: "host_firewall_other == 1",
        for: "1m",
        severity: "warning",
        service: "host",
        subject: "firewall-{{ $labels.program }}",
        summary: "{{ $labels.program }} manages the host's firewall too",
        description: "It removes the platform's rules or contradicts them; the watcher restores them again and again.",
        needs: "host",
      },
    ],
  },
];
