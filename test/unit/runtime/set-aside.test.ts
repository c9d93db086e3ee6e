import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { damages as alertmanager } from "../../../components/observability/alertmanager.ts";
import { damages as grafana } from "../../../components/observability/grafana.ts";
import { damages as prometheus } from "../../../components/observability/prometheus.ts";
import { damages as jaeger } from "../../../components/observability/telemetry/jaeger.ts";
import { type Damage, damageRules, settingAside } from "../../../components/runtime/setAside.ts";
import { boltFault } from "../../../services/backup/src/boltFile.ts";
import { DAMAGED_FILES, damagedPage } from "../../../services/backup/src/damaged.ts";
import { boltFile } from "../lib/bolt.ts";

let home: string;
let data: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "autollm-aside-"));
  data = join(home, "data");
  mkdirSync(data);
  mkdirSync(join(home, "scratch"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
});

/** The start of a program of a few lines of shell, under the script. */
function command(damages: readonly Damage[], program: string) {
  const { command: line, files } = settingAside(data, damages, { command: ["/bin/sh", "-c", program] });
  for (const [name, text] of Object.entries(files?.["/run/autollm"] ?? {}))
    writeFileSync(join(home, name), String(text));
  const args = line.slice(1).map((word) => word.replace("/run/autollm", home));
  return { args, env: { ...process.env, AUTOLLM_SCRATCH: join(home, "scratch") } };
}
function start(damages: readonly Damage[], program: string) {
  const { args, env } = command(damages, program);
  const { status, stdout, stderr } = spawnSync("/bin/sh", args, { env, encoding: "utf8" });
  return { status, stdout, stderr };
}
const names = () => readdirSync(data).map((name) => name.replace(/\d{8}T\d{6}Z$/, "TIME"));
const ULID = "01M8M3WDP6XDWM8YG96GZ9TZBZ";

describe("a program with data that can be made again", () => {
  // The lines are the programs' own, as they were seen.
  it.each([
    [
      "Prometheus, a block",
      prometheus,
      `msg="Fatal error" err="opening storage failed: reloadBlocks: corrupted block ${ULID}: read TOC: read TOC: invalid checksum"`,
      [ULID],
    ],
    [
      "Prometheus, the newest chunks",
      prometheus,
      'msg="Fatal error" err="opening storage failed: /prometheus/chunks_head/000001: invalid magic number d69faa7b"',
      ["chunks_head"],
    ],
    ["Alertmanager, its silences", alertmanager, 'msg="error creating silence" err="unexpected EOF"', ["silences"]],
    ["Alertmanager, its log", alertmanager, 'msg="error creating notification log" err="invalid state"', ["nflog"]],
    ["Grafana, cut short", grafana, 'error="... existence: database disk image is malformed"', ["grafana.db"]],
    ["Grafana, no database", grafana, 'error="... existence: file is not a database"', ["grafana.db"]],
    [
      "Jaeger",
      jaeger,
      "Error: failed to start extensions: failed to initialize storage 'disk': During db.vlog.open err: Invalid datakey id",
      ["keys", "values"],
    ],
  ] as const)("has the damaged file set aside, and no other: %s", (_, damages, says, aside) => {
    for (const name of [...aside, "other"]) writeFileSync(join(data, name), "");
    const { status, stdout, stderr } = start(
      damages,
      `echo 'level=info fine'; echo "${says.replaceAll('"', '\\"')}"; exit 1`,
    );
    expect(status).toBe(1);
    expect(stdout).toContain("level=info fine\n");
    expect(stderr).toContain(`set aside as ${data}/${aside[0]}.damaged-`);
    expect(names().sort()).toEqual([...aside.map((name) => `${name}.damaged-TIME`), "other"].sort());
  });

  it.each([
    ["no room", 'msg="error creating silence" err="open /alertmanager/silences: no space left on device"'],
    ["no right", 'msg="error creating silence" err="open /alertmanager/silences: permission denied"'],
    ["a fault of its configuration", 'msg="Loading configuration file failed" err="yaml: line 3"'],
  ])("keeps its files where it ends for another reason: %s", (_, says) => {
    writeFileSync(join(data, "silences"), "");
    expect(start(alertmanager, `echo '${says}'; exit 1`).status).toBe(1);
    expect(names()).toEqual(["silences"]);
  });

  it("keeps its files where it says so and goes on", () => {
    writeFileSync(join(data, "silences"), "");
    expect(start(alertmanager, "echo 'error creating silence'; exit 0").status).toBe(0);
    expect(names()).toEqual(["silences"]);
  });

  it("never leaves its directory", () => {
    const rules = [{ says: "damaged (.*)", aside: "\\1" }];
    writeFileSync(join(home, "neighbour"), "");
    start(rules, "echo 'damaged ../neighbour'; echo 'damaged /etc/hostname'; exit 1");
    expect(readdirSync(home)).toContain("neighbour");
  });

  it("gets the same signal to end as before, and the same time for it", async () => {
    const { args, env } = command(
      alertmanager,
      "trap 'sleep 1; echo ended well; exit 0' TERM; while :; do sleep 0.1; done",
    );
    const child = spawn("/bin/sh", args, { env });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    await pause(1500);
    child.kill("SIGTERM");
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect({ code, said }).toEqual({ code: 0, said: "ended well\n" });
  });

  it("has rules that sed takes", () => {
    for (const rules of [prometheus, alertmanager, grafana, jaeger])
      expect(spawnSync("sed", ["-n", "-E", damageRules(rules)], { input: "", encoding: "utf8" }).stderr).toBe("");
  });
});

describe("a collector's queue", () => {
  const file = (bytes: Buffer) => {
    const path = join(data, "queue");
    writeFileSync(path, bytes);
    return path;
  };

  it("is recognised as intact", () => {
    expect(boltFault(file(boltFile()))).toBeUndefined();
  });

  it("may be empty, as bbolt creates it again", () => {
    expect(boltFault(file(Buffer.alloc(0)))).toBeUndefined();
  });

  it.each([
    ["no first page is whole", (bytes: Buffer) => bytes.fill(0, 0, 8192), "it has no whole first page"],
    ["it is no such file", (bytes: Buffer) => bytes.fill("text"), "it has no whole first page"],
    ["it is cut short within a page", (bytes: Buffer) => bytes.subarray(0, 14_000), "the file ends within page 3"],
    ["it is cut short before a page", (bytes: Buffer) => bytes.subarray(0, 12_288), "the file ends before page 3"],
    ["a page is another one", (bytes: Buffer) => bytes.fill(7, 12_288, 12_296), "page 3 is another one"],
    ["a page is of no kind", (bytes: Buffer) => bytes.fill(0, 12_296, 12_298), "page 3 is neither a branch nor a leaf"],
    ["an entry is too long", (bytes: Buffer) => bytes.fill(255, 12_316, 12_319), "page 3 has an entry beyond its end"],
    ["a key is out of order", (bytes: Buffer) => bytes.fill("z", 16_368, 16_371), "page 3 has entries out of order"],
  ] as const)("is known to be damaged where %s", (_, harm, says) => {
    expect(boltFault(file(harm(boltFile())))).toBe(says);
  });

  it("is intact if only the older of the first pages is damaged", () => {
    expect(boltFault(file(boltFile().fill(0, 0, 4096)))).toBeUndefined();
  });
});

describe("what was set aside", () => {
  it("is counted by volume, and an unreadable volume is left out", () => {
    for (const name of ["wal", "a.damaged-20260101T000000Z", "b.20260101T000000.000Z.backup"])
      writeFileSync(join(data, name), "");
    const page = damagedPage({ full: data, none: join(home, "scratch"), gone: join(home, "gone") });
    expect(page).toContain(`${DAMAGED_FILES}{volume="full"} 2\n`);
    expect(page).toContain(`${DAMAGED_FILES}{volume="none"} 0\n`);
    expect(page).not.toContain("gone");
  });
});
