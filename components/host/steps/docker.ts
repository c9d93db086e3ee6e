import type { HostOptions } from "../options.ts";
import { HOST_STATE } from "../scripts.ts";
import { type Step, unitRuns } from "../step.ts";

const OURS = "/etc/autollm/daemon.json";
const THEIRS = "/etc/docker/daemon.json";

/** The daemon's settings that are ours; any other of the file stays. Numbers: CIS Docker Benchmark. */
export const daemonSettings = {
  // 2.2: containers of the default bridge do not talk to each other.
  icc: false,
  // 2.14
  "live-restore": true,
  // 2.13, and docs/requirements.md: json-file, 10 MB x 3.
  "log-driver": "json-file",
  "log-opts": { "max-size": "10m", "max-file": "3" },
  // 2.15
  "userland-proxy": false,
  // 2.18
  "no-new-privileges": true,
} as const;

/**
 * jq over theirs, what was there before us, our former settings, ours: what we no longer set is as before us, what we set is ours,
 * and everything else stays as it is.
 */
export const MERGE = [
  ".[0] as $theirs | .[1] as $before | .[2] as $former | .[3] as $ours",
  "| (($former | keys) - ($ours | keys)) as $dropped",
  "| (($theirs | delpaths([$dropped[] | [.]])) + ($before | with_entries(select(.key as $key | $dropped | index($key) != null)))) * $ours",
].join(" ");

/** jq: whether theirs already says all that ours says. */
export const HOLDS = ".[0] as $theirs | $theirs == ($theirs * .[1])";

export function engineStep({ deployer }: HostOptions): Step {
  return {
    name: "engine",
    purpose: "sets Docker up: bounded logs, live restore, no userland proxy; other settings of daemon.json stay",
    after: ["packages"],
    prepare: `usermod --append --groups docker ${deployer}`,
    files: [{ path: OURS, content: `${JSON.stringify(daemonSettings, undefined, 2)}\n` }],
    activate: [
      `theirs=${THEIRS} before=${HOST_STATE}/daemon.json.before former=${HOST_STATE}/daemon.json.ours ours=${HOST_STATE}/daemon.json.new`,
      'mkdir -p /etc/docker; [ -s "$theirs" ] || echo "{}" > "$theirs"',
      'jq -e . "$theirs" >/dev/null 2>&1 || { echo "$theirs is no JSON: fix it by hand" >&2; exit 1; }',
      '[ -e "$before" ] || cp -p "$theirs" "$before"',
      '[ -e "$former" ] || echo "{}" > "$former"',
      `if [ -f ${OURS} ]; then cp ${OURS} "$ours"; else echo "{}" > "$ours"; fi`,
      `jq --slurp '${MERGE}' "$theirs" "$before" "$former" "$ours" > "$theirs.autollm-new"`,
      'if cmp -s "$theirs" "$theirs.autollm-new"; then rm -f "$theirs.autollm-new"; else',
      '  if ! report=$(dockerd --validate --config-file "$theirs.autollm-new" 2>&1); then',
      '    rm -f "$theirs.autollm-new"; echo "dockerd refuses the settings: $report" >&2; exit 1',
      "  fi",
      '  mv -f "$theirs.autollm-new" "$theirs"',
      "  systemctl restart docker.service",
      "fi",
      'mv -f "$ours" "$former"',
      "systemctl enable --quiet --now containerd.service docker.socket docker.service >/dev/null 2>&1",
    ].join("\n"),
    checks: [
      ...unitRuns("docker.service"),
      { fault: "Docker does not answer", test: "docker version" },
      {
        fault: `${THEIRS} does not say what was declared`,
        test: `jq --slurp --exit-status '${HOLDS}' ${THEIRS} ${OURS}`,
      },
      {
        fault: "Docker runs without live restore",
        test: "docker info --format '{{.LiveRestoreEnabled}}' | grep -qx true",
      },
    ],
    leaves: "Docker itself, with the volumes and images that it holds",
  };
}
