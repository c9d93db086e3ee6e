import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  checkRepository,
  findSnapshot,
  forget,
  openRepository,
  save,
  snapshots,
} from "../../../services/backup/src/restic.ts";

/** A program in restic's place: what it answers, by its command, in turn; the last answer stays. */
type Answers = Readonly<Record<string, readonly { code?: number; stdout?: string; stderr?: string }[]>>;

const script = `#!/bin/sh
# The command is the first word after the options that every call has.
shift 5
echo "$*" >> "$RESTIC_HOME/calls"
n=$(cat "$RESTIC_HOME/$1.n" 2>/dev/null || echo 0)
while [ "$n" -gt 0 ] && [ ! -e "$RESTIC_HOME/$1.$n.code" ]; do n=$((n - 1)); done
echo $((n + 1)) > "$RESTIC_HOME/$1.n"
[ "$1" = backup ] && cat > /dev/null
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

  const summary = { message_type: "summary", snapshot_id: "0123456789abcdef", total_bytes_processed: 50 };
  const said = `{"message_type":"status"}\n${JSON.stringify({ ...summary, data_added_packed: 7 })}\n`;
  const finished = { id: "89abcdef01234567", time: "2026-01-01T02:00:00Z", tags: ["rows=42"] };

  it("takes a snapshot, which counts when it is finished, and tells its size", async () => {
    answers({ backup: [{ stdout: said }], snapshots: [{ stdout: "[]" }, { stdout: JSON.stringify([finished]) }] });
    const made = await save("mine", async (archive) => {
      await archive.text("manifest.json", "{}");
      return { rows: 42, partial: false };
    });
    expect(made).toEqual({ id: "89abcdef", bytes: 50, added: 7 });
    expect(calls()).toEqual([
      "unlock --remove-all",
      "snapshots --json",
      "backup --json --host mine --group-by host,paths --tag unfinished --stdin --stdin-filename /snapshot.tar",
      "tag --set rows=42 0123456789abcdef",
      "snapshots --json",
    ]);
  });

  it("marks a snapshot that lacks something", async () => {
    answers({ backup: [{ stdout: said }], snapshots: [{ stdout: "[]" }, { stdout: JSON.stringify([finished]) }] });
    await save("mine", async () => ({ rows: 1, partial: true }));
    expect(calls()).toContain("tag --set rows=1,partial 0123456789abcdef");
  });

  it("makes none of what could not be collected whole, and removes one whose maker was killed", async () => {
    const unfinished = [{ id: "cccccccccccc", time: "2026-01-01T02:00:00Z", tags: ["unfinished"] }];
    answers({ snapshots: [{ stdout: JSON.stringify(unfinished) }] });
    const failing = save("mine", async () => {
      throw new Error("NATS does not answer");
    });
    await expect(failing).rejects.toThrow("NATS does not answer");
    expect(calls()).toContain("forget cccccccccccc");
    expect(calls().some((call) => call.startsWith("tag"))).toBe(false);
  });

  it("that took no snapshot says so, even where restic ends well", async () => {
    answers({ backup: [{ stdout: '{"message_type":"status"}\n' }], snapshots: [{ stdout: "[]" }] });
    await expect(save("mine", async () => ({ rows: 1, partial: false }))).rejects.toThrow("restic made no snapshot");
  });

  it("lists its snapshots with size and rows, also one of a time when neither was kept", async () => {
    const list = [
      { id: "aaaaaaaaaaaa", time: "2026-01-01T02:00:00Z", tags: ["rows=9"], summary: { total_bytes_processed: 3 } },
      { id: "bbbbbbbbbbbb", time: "2026-01-02T02:00:00Z" },
      { id: "cccccccccccc", time: "2026-01-03T02:00:00Z", tags: ["rows=1", "partial"], paths: ["/snapshot.tar"] },
      { id: "dddddddddddd", time: "2026-01-04T02:00:00Z", tags: ["unfinished"] },
    ];
    answers({ snapshots: [{ stdout: JSON.stringify(list) }] });
    expect(await snapshots()).toEqual([
      { id: "aaaaaaaa", time: "2026-01-01T02:00:00Z", bytes: 3, rows: 9, partial: false, archive: false },
      { id: "bbbbbbbb", time: "2026-01-02T02:00:00Z", bytes: 0, rows: 0, partial: false, archive: false },
      { id: "cccccccc", time: "2026-01-03T02:00:00Z", bytes: 0, rows: 1, partial: true, archive: true },
    ]);
    expect((await findSnapshot("latest")).id).toBe("bbbbbbbb");
    expect((await findSnapshot("cccccccc")).id).toBe("cccccccc");
    await expect(findSnapshot("dddddddd")).rejects.toThrow("there is no backup dddddddd");
  });

  it("keeps all snapshots of 2 days, one of each of 30, 4 weekly and 12 monthly ones, of this stack alone", async () => {
    answers({ snapshots: [{ stdout: "[]" }] });
    await forget("mine");
    expect(calls().at(-1)).toBe(
      "forget --host mine --group-by host --keep-within 2d --keep-within-daily 30d --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --prune --quiet",
    );
  });

  it("keeps of the partial snapshots of a day the last one", async () => {
    const partial = ["a", "b", "c"].map((letter, hours) => ({
      id: letter.repeat(12),
      time: new Date(Date.now() - (hours === 0 ? 48 : 3 - hours) * 3_600_000).toISOString(),
      tags: ["rows=1", "partial"],
    }));
    answers({ snapshots: [{ stdout: JSON.stringify(partial) }] });
    await forget("mine");
    expect(calls()).toContain("forget bbbbbbbbbbbb");
  });

  it("with a missing piece is told as damaged", async () => {
    answers({ check: [{ code: 1, stderr: "pack missing" }] });
    await expect(checkRepository()).rejects.toThrow("the repository is damaged: pack missing");
  });
});
