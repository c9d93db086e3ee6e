import { createHash } from "node:crypto";
import { quote } from "../runtime/files.ts";
import type { Check, HostFile, Step } from "./step.ts";

/** Where the host remembers which files are a step's, and what was there before. */
export const HOST_STATE = "/var/lib/autollm/host";

/** Seconds after which an unconfirmed change of a proven step is taken back. */
export const REVERT_SECONDS = 60;

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
    `fail() { echo "host step ${step.name}: $1" >&2; exit 1; }`,
    `state=${HOST_STATE}`,
    'mkdir -p "$state" && chmod 0700 "$state"',
  ];
}

/** Writes the files that differ, keeps what was there, and puts it back when anything fails. */
function writeFiles(step: Step): string[] {
  const activate = step.activate ?? ":";
  return [
    `manifest=$state/${step.name}.files`,
    `keep=$(mktemp -d "$state/keep-${step.name}.XXXXXX")`,
    // As a file, so that it can run by itself after the connection is gone.
    "cat > \"$keep/restore\" <<'RESTORE'",
    'cd "$1" || exit 1',
    "if [ -f list ]; then while read -r number path; do",
    '  if [ -e "$number" ]; then cp -p "$number" "$path"; else rm -f "$path"; fi',
    "done < list; fi",
    "changed=''",
    `${activate}`,
    "RESTORE",
    "finish() {",
    "  code=$?",
    '  if [ "$code" -ne 0 ]; then sh -u "$keep/restore" "$keep" >/dev/null 2>&1 || true; fi',
    ...(step.proven === true
      ? [
          `  if [ "$code" -ne 0 ]; then systemctl stop ${revertUnit(step)}.timer >/dev/null 2>&1 || true; rm -rf "$keep"; fi`,
        ]
      : ['  rm -rf "$keep"']),
    "}",
    "trap finish EXIT",
    ...(step.proven === true ? armRevert(step) : []),
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

export function revertUnit(step: Pick<Step, "name">): string {
  return `autollm-revert-${step.name}`;
}

function armRevert(step: Step): string[] {
  const unit = revertUnit(step);
  return [
    `systemctl stop ${unit}.timer ${unit}.service >/dev/null 2>&1 || true`,
    `systemctl reset-failed ${unit}.service >/dev/null 2>&1 || true`,
    `systemd-run --quiet --collect --unit=${unit} --on-active=${REVERT_SECONDS} --timer-property=AccuracySec=1s sh -u "$keep/restore" "$keep"`,
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
  return [
    ...frame(step),
    `manifest=$state/${step.name}.files changed=''`,
    'if [ -f "$manifest" ]; then while read -r path; do rm -f "$path"; changed="$changed $path"; done < "$manifest"; fi',
    step.undo ?? step.activate ?? ":",
    'rm -f "$manifest"',
  ].join("\n");
}

/** Runs the script on its stdin as root, from an account that may sudo or from root itself. */
export const ROOT_SHELL = 'if [ "$(id -u)" -eq 0 ]; then exec sh -s; else exec sudo -n sh -s; fi';

/** Runs a script as root, from an account that may sudo or from root itself; stdin is the script's. */
export function asRoot(script: string): string {
  const word = quote(script);
  // What a script leaves unread of its stdin is read: the client would take the refusal for a fault.
  return `if [ "$(id -u)" -eq 0 ]; then sh -c ${word}; else sudo -n sh -c ${word}; fi; code=$?; cat >/dev/null; exit "$code"`;
}
