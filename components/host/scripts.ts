import { createHash } from "node:crypto";
import { quote } from "../shell.ts";
import { armRevert, disarm } from "./revert.ts";
import type { Check, HostFile, Step } from "./step.ts";

/** Where the host remembers which files are a step's, and what was there before. */
export const HOST_STATE = "/var/lib/autollm/host";

const modeOf = (file: HostFile): string => (file.mode ?? "0644").replace(/^0/, "");

/** A line for each file, with mode, path and content in base64. */
function fileLines(step: Step): string[] {
  return (step.files ?? []).map(
    (file) => `${modeOf(file)} ${file.path} ${Buffer.from(file.content).toString("base64")}`,
  );
}

/** A script for a shell's stdin: read to its end before it runs, so that nothing it starts can swallow the rest of it. */
function whole(lines: readonly string[]): string {
  return `main() {\n${lines.join("\n")}\n}\nmain </dev/null\n`;
}

/** The frame of every script: the first fault ends it and is told in one line that names the step. */
function frame(step: Step): string[] {
  return [
    "set -eu",
    "umask 022",
    "export LC_ALL=C DEBIAN_FRONTEND=noninteractive",
    "told=''",
    `fail() { echo "host step ${step.name}: $1" >&2; told=yes; exit 1; }`,
    `state=${HOST_STATE}`,
    "explain() {",
    `  [ -n "$told" ] || echo "host step ${step.name}: stopped by the fault above; fix it and run up again" >&2`,
    '  for place in / /var "$state" /var/lib/docker; do',
    '    if [ -d "$place" ] && [ "$(df -Pk "$place" | awk \'NR == 2 {print $4}\')" -lt 20480 ]; then',
    '      echo "the disk is full: $(df -Pm "$place" | awk \'NR == 2 {print $4}\') MiB are free on $place. Free some: journalctl --vacuum-size=200M; apt-get clean; docker image prune" >&2',
    "      break",
    "    fi",
    "  done",
    "}",
    'end() { code=$?; if [ "$code" -ne 0 ]; then explain; fi; }',
    "trap end EXIT",
    'mkdir -p "$state" && chmod 0700 "$state"',
    // A run whose connection was cut goes on by itself to its end: the next one waits for it.
    `exec 9>"$state/${step.name}.lock"`,
    'flock --wait 300 9 || fail "another run has been at this step for 5 minutes; see on the host: fuser -v $state/*.lock"',
  ];
}

/** Writes the files that differ, keeps what was there, and puts it back when anything fails. */
function writeFiles(step: Step): string[] {
  const proven = step.proven !== undefined;
  return [
    `manifest=$state/${step.name}.files`,
    // What an interrupted run kept; a proven step's is still wanted if nobody confirmed it.
    ...(proven ? [] : [`rm -rf "$state/keep-${step.name}."*`]),
    `keep=$(mktemp -d "$state/keep-${step.name}.XXXXXX")`,
    // As a file, so that it can run by itself after the connection is gone.
    "cat > \"$keep/restore\" <<'RESTORE'",
    'cd "$1" || exit 1',
    "if [ -f list ]; then while read -r number path; do",
    '  if [ -e "$number" ]; then cp -p "$number" "$path"; else rm -f "$path"; fi',
    "done < list; fi",
    "changed=''",
    step.activate ?? ":",
    ...(proven ? disarm(step) : []),
    'cd / && rm -rf "$1"',
    "RESTORE",
    "finish() {",
    "  code=$?",
    '  if [ "$code" -ne 0 ]; then explain; sh -u "$keep/restore" "$keep" >/dev/null 2>&1 || true; fi',
    ...(proven ? [] : ['  rm -rf "$keep"']),
    "}",
    "trap finish EXIT",
    ...(proven ? armRevert(step) : []),
    "changed='' count=0",
    ': > "$keep/manifest"',
    "while read -r mode path content; do",
    '  echo "$path" >> "$keep/manifest"',
    '  mkdir -p "$(dirname "$path")"',
    '  printf %s "$content" | base64 -d > "$keep/new"',
    '  if [ -f "$path" ] && cmp -s "$path" "$keep/new" && [ "$(stat -c "%a %u %g" "$path")" = "$mode 0 0" ]; then continue; fi',
    "  count=$((count + 1))",
    '  if [ -e "$path" ]; then cp -p "$path" "$keep/$count"; fi',
    '  echo "$count $path" >> "$keep/list"',
    '  install -o root -g root -m "$mode" "$keep/new" "$path.autollm-new"',
    '  mv -f "$path.autollm-new" "$path"',
    '  changed="$changed $path"',
    "done <<'FILES'",
    ...fileLines(step),
    "FILES",
    // Files that an earlier version of the step had.
    'if [ -f "$manifest" ]; then',
    "  while read -r path; do",
    '    if [ -e "$path" ] && ! grep -qxF "$path" "$keep/manifest"; then',
    "      count=$((count + 1))",
    '      cp -p "$path" "$keep/$count"; echo "$count $path" >> "$keep/list"',
    '      rm -f "$path"; changed="$changed $path"',
    "    fi",
    '  done < "$manifest"',
    "fi",
  ];
}

/** Brings a step about. For a shell's stdin, so that a fault's message does not repeat it. */
export function applyScript(step: Step): string {
  return whole([
    ...frame(step),
    ...(step.prepare === undefined ? [] : [step.prepare]),
    ...writeFiles(step),
    ...(step.activate === undefined ? [] : [step.activate]),
    'mv -f "$keep/manifest" "$manifest"',
    ...verify(step),
  ]);
}

/** Looks at the result before the step counts as done. */
function verify(step: Step): string[] {
  const checks = (step.checks ?? []).filter((check) => check.driftOnly !== true);
  if (checks.length === 0) return [];
  return ["faults=$(", ...checks.map(checkLine), ")", '[ -z "$faults" ] || fail "$faults"'];
}

function checkLine({ fault, test }: Check): string {
  return `if ! ( ${test} ) >/dev/null 2>&1; then echo ${quote(fault)}; fi`;
}

function fileCheck(file: HostFile): Check[] {
  const digest = createHash("sha256").update(file.content).digest("hex");
  const path = quote(file.path);
  return [
    { fault: `${file.path} is missing`, test: `[ -f ${path} ]` },
    {
      fault: `${file.path} was changed`,
      test: `[ ! -f ${path} ] || [ "$(sha256sum < ${path} | cut -c1-64)" = ${digest} ]`,
    },
    {
      fault: `${file.path} has another mode or owner than ${file.mode ?? "0644"} root`,
      test: `[ ! -f ${path} ] || [ "$(stat -c "%a %u %g" ${path})" = "${modeOf(file)} 0 0" ]`,
    },
  ];
}

/** Prints a line for each thing that is not as declared, and nothing when all is. Changes nothing. */
export function checkScript(step: Step): string {
  const checks = [...(step.files ?? []).flatMap(fileCheck), ...(step.checks ?? [])];
  return ["set -u", "export LC_ALL=C", ...checks.map(checkLine)].join("\n");
}

/** Takes back what is the step's own. Data and packages stay: see `leaves`. */
export function undoScript(step: Step): string {
  return whole([
    ...frame(step),
    `manifest=$state/${step.name}.files changed=''`,
    'if [ -f "$manifest" ]; then while read -r path; do rm -f "$path"; changed="$changed $path"; done < "$manifest"; fi',
    step.undo ?? step.activate ?? ":",
    'rm -f "$manifest"',
    ...(step.leaves === undefined
      ? []
      : [`echo ${quote(`host step ${step.name}: undone; left there: ${step.leaves}`)}`]),
  ]);
}
