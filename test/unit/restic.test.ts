import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  checkRepository,
  forget,
  openRepository,
  readBack,
  save,
  snapshots,
} from "../../services/backup/src/restic.ts";

/** A program in restic's place: what it answers, by its command, in turn; the last answer stays. */
type Answers = Readonly<Record<string, readonly { code?: number; stdout?: string; stderr?: string }[]>>;

const script = `#!/bin/sh
# The command is the first word after the options that every call has.
shift 5
echo "$*" >> "$RESTIC_HOME/calls"
n=$(cat "$RESTIC_HOME/$1.n" 2>/dev/null || echo 0)
while [ "$n" -gt 0 ] && [ ! -e "$RESTIC_HOME/$1.$n.code" ]; do n=$((n - 1)); done
echo $((n + 1)) > "$RESTIC_HOME/$1.n"
[ -e "$RESTIC_HOME/$1.$n.code" ] || exit 0
cat "$RESTIC_HOME/$1.$n.out"; cat "$RESTIC_HOME/$1.$n.err" >&2
exit "$(cat "$RESTIC_HOME/$1.$n.code")"
`;

describe("the repository of the backups", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "autollm-test-"));
    writeFileSync(join(home, "restic"), script);
    chmodSync(join(home, "restic"), 0o755);
    vi.stubEnv("PATH", `${home}${delimiter}${process.env.PATH}`);
    vi.stubEnv("RESTIC_HOME", home);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });

  function answers(table: Answers): void {
    for (const [command, list] of Object.entries(table))
      for (const [index, { code = 0, stdout = "", stderr = "" }] of list.entries()) {
        writeFileSync(join(home, `${command}.${index}.code`), String(code));
        writeFileSync(join(home, `${command}.${index}.out`), stdout);
        writeFileSync(join(home, `${command}.${index}.err`), stderr);
      }
  }
  const calls = () => readFileSync(join(home, "calls"), "utf8").trim().split("\n");

  it("is opened, and left as it is", async () => {
    answers({ cat: [{ code: 0 }] });
    await openRepository();
    expect(calls()).toEqual(["cat config"]);
  });

  it("is made where there is none", async () => {
    answers({ cat: [{ code: 10 }], init: [{ code: 0 }] });
    await openRepository();
    expect(calls()).toEqual(["cat config", "init"]);
  });

  it("opens again after a run was killed: its lock is nobody's", async () => {
    answers({ cat: [{ code: 11, stderr: "unable to create lock" }, { code: 0 }], unlock: [{ code: 0 }] });
    await openRepository();
    expect(calls()).toEqual(["cat config", "unlock --remove-all", "cat config"]);
  });

  it("of another key is refused, in words that say what to do, and never replaced", async () => {
    answers({ cat: [{ code: 12 }] });
    await expect(openRepository()).rejects.toThrow(/does not open with this stack's backup-key: supply the right one/);
    expect(calls()).toEqual(["cat config"]);
  });

  it("that cannot be read tells restic's last words", async () => {
    answers({ cat: [{ code: 1, stderr: "first\nthe disk is gone\n" }] });
    await expect(openRepository()).rejects.toThrow("the repository cannot be opened: first; the disk is gone");
  });

  it("takes a snapshot with the number of its rows, and tells its size", async () => {
    const summary = { message_type: "summary", snapshot_id: "0123456789abcdef", total_bytes_processed: 50 };
    const said = `{"message_type":"status"}\n${JSON.stringify({ ...summary, data_added_packed: 7 })}\n`;
    answers({ unlock: [{ code: 0 }], backup: [{ stdout: said }] });
    expect(await save("mine", 42)).toEqual({ id: "01234567", bytes: 50, added: 7 });
    expect(calls()[1]).toContain("--host mine --group-by host,paths --tag rows=42");
  });

  it("that took no snapshot says so, even where restic ends well", async () => {
    answers({ backup: [{ stdout: '{"message_type":"status"}\n' }] });
    await expect(save("mine", 1)).rejects.toThrow("restic made no snapshot");
  });

  it("lists its snapshots with size and rows, also one of a time when neither was kept", async () => {
    const list = [
      { id: "aaaaaaaaaaaa", time: "2026-01-01T02:00:00Z", tags: ["rows=9"], summary: { total_bytes_processed: 3 } },
      { id: "bbbbbbbbbbbb", time: "2026-01-02T02:00:00Z" },
    ];
    answers({ snapshots: [{ stdout: JSON.stringify(list) }] });
    expect(await snapshots()).toEqual([
      { id: "aaaaaaaa", time: "2026-01-01T02:00:00Z", bytes: 3, rows: 9 },
      { id: "bbbbbbbb", time: "2026-01-02T02:00:00Z", bytes: 0, rows: 0 },
    ]);
  });

  it("keeps 7 daily, 4 weekly, 12 monthly snapshots, and all of 30 days, of this stack alone", async () => {
    await forget("mine");
    expect(calls()[0]).toBe(
      "forget --host mine --group-by host --keep-within 30d --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --prune --quiet",
    );
  });

  it("with a missing piece is not restored from, and is told as damaged", async () => {
    answers({ restore: [{ code: 1, stderr: "pack missing" }], check: [{ code: 1, stderr: "pack missing" }] });
    await expect(readBack("latest", "/nowhere")).rejects.toThrow("cannot be read whole, so it is not restored");
    await expect(checkRepository()).rejects.toThrow("the repository is damaged: pack missing");
  });
});
