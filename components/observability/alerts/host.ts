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
/** The kernel's own mark of a clock that nobody corrects. */
const UNSYNCHRONISED_ERROR_SECONDS = 16;

/** File systems that hold something: those in memory and read-only images do not fill up. */
const DISKS = 'fstype!~"tmpfs|ramfs|squashfs|iso9660"';

/** The machine under it all. */
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
        description: "What could be freed at once counts as free.",
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
        // A line through a few minutes says nothing about a day, and of a disk that is almost empty nobody needs to know.
        expr: `predict_linear(node_filesystem_avail_bytes{${DISKS}}[6h], ${DAY}) < 0 and node_filesystem_avail_bytes{${DISKS}} / node_filesystem_size_bytes{${DISKS}} < ${PREDICTED_BELOW} and node_filesystem_avail_bytes{${DISKS}} offset 2h`,
        for: "30m",
        severity: "warning",
        service: "host",
        subject: "disk",
        summary: "{{ $labels.mountpoint }} is full within a day at this rate",
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
        description: "Writes are about to fail, or do already.",
      },
      {
        name: "InodesRunningLow",
        expr: `node_filesystem_files_free{${DISKS}} / (node_filesystem_files{${DISKS}} > 0) < ${MIN_INODES}`,
        for: "5m",
        severity: "warning",
        service: "host",
        subject: "inodes",
        summary: "{{ $labels.mountpoint }} has {{ $value | humanizePercentage }} of its inodes left",
        description: "No new file can be made when they are gone, however much space there is.",
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
        summary: "Nobody keeps the host's clock",
        description: "The time service does not run, or reaches no server.",
      },
      {
        name: "FirewallRestored",
        expr: "increase(host_firewall_restored_total[1h]) > 0",
        for: "0s",
        severity: "warning",
        service: "host",
        subject: "firewall-{{ $labels.what }}",
        summary: "Somebody removed or changed the host's firewall ({{ $labels.what }}), and it was put back",
        description: "Until then, for some seconds, its ports were open or its containers without a network.",
        needs: "host",
      },
      {
        name: "FirewallNotAsDeclared",
        expr: `time() - host_firewall_checked_timestamp_seconds > ${FIREWALL_UNWATCHED_SECONDS} or absent(host_firewall_checked_timestamp_seconds)`,
        for: "2m",
        severity: "critical",
        service: "host",
        subject: "firewall",
        summary: "The host's firewall is not as declared, or nobody looks",
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
        summary: "{{ $labels.program }} manages the host's firewall as well",
        description: "It removes the platform's rules or contradicts them; the watcher puts them back again and again.",
        needs: "host",
      },
    ],
  },
];
