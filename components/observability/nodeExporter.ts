import { NAMES_FOLDER } from "../runtime/containerNames.ts";
import { LIVE_CURRENT, LIVE_MOUNT } from "../runtime/liveFiles.ts";

/** What is read of the host; the kernel's other figures would be unused series. */
const hostCollectors = "cpu diskstats filefd filesystem loadavg meminfo netdev stat time timex uname vmstat".split(" ");

const NETWORK = "/host/net-dev";
const MOUNTS = "/host/mountinfo";
const ROOT = "/host/root";

/**
 * All that node-exporter is given of the host: three files. What else it reads (processors, memory, disks, load) the kernel
 * shows in every container's own /proc. Neither the host's processes nor any of its directories are accessible.
 */
export const hostFiles = [
  // Interfaces and mounts are those of the process that reads them; the first process's are the host's.
  { source: "/proc/1/net/dev", path: NETWORK },
  { source: "/proc/1/mountinfo", path: MOUNTS },
  // A file system's figures can be read by any file on it. This one is on the root's file system, exists everywhere, and has the host's name.
  { source: "/etc/hostname", path: ROOT },
] as const;

/** A file on each file system that is measured: the root's, the one of Docker's data, and the one of the stack's files. */
export const probes = [ROOT, "/etc/hosts", "/etc/autollm"];

/** The name of a probe below its mount point, which may hold another one: `/var/@` beside `/var/lib/docker/@`. */
export const PROBE = "@";

/**
 * From the container's own mounts, the file systems of the probes; from the host's, how the host calls them: of several mounts
 * of one file system the nearest to its root. Prints the probe, and the host's line with the probe's name for the mount point.
 */
export const measuredFileSystems = [
  'BEGIN { split(probes, list, " "); for (i in list) wanted[list[i]] = 1 }',
  "FNR == NR { if ($5 in wanted) probe[$3] = $5; next }",
  "($3 in probe) && (!($3 in line) || length($4) < depth[$3]) {",
  `  depth[$3] = length($4); $5 = ($5 == "/" ? "" : $5) "/${PROBE}"; line[$3] = $0`,
  "}",
  "END { for (device in line) print probe[device], line[device] }",
].join("\n");

/** Lays out the few files under the paths where node-exporter looks for them, and starts it. */
export const nodeExporterScript = [
  "set -eu",
  "mkdir /tmp/proc /tmp/root",
  "ln -s /proc/[a-z]* /tmp/proc/",
  "rm /tmp/proc/net",
  "mkdir /tmp/proc/net /tmp/proc/1",
  `ln -s ${NETWORK} /tmp/proc/net/dev`,
  `awk -v probes='${probes.join(" ")}' '${measuredFileSystems}' /proc/self/mountinfo ${MOUNTS} |`,
  "  while read -r probe line; do",
  '    echo "$line" >>/tmp/proc/1/mountinfo',
  '    point=$(echo "$line" | cut -d " " -f 5)',
  `    mkdir -p "/tmp/root\${point%/${PROBE}}"`,
  '    ln -s "$probe" "/tmp/root$point"',
  "  done",
  [
    "exec /bin/node_exporter --path.procfs=/tmp/proc --path.rootfs=/tmp/root --collector.disable-defaults",
    ...hostCollectors.map((name) => `--collector.${name}`),
    `--collector.textfile --collector.textfile.directory=${LIVE_CURRENT}`,
    // A pattern: the folder is written after the containers are there, this one among them.
    `--collector.textfile.directory='${LIVE_MOUNT}/${NAMES_FOLDER}*'`,
    "--no-collector.netdev.netlink --collector.netdev.device-exclude='^(veth|br-|ifb).*'",
    // The list of mounts has no other than those that are measured.
    "--collector.filesystem.mount-points-exclude='^$'",
    // More folders of metrics, where there are any.
    '"$@"',
  ].join(" "),
].join("\n");
