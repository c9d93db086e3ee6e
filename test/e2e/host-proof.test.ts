import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Stage, stage } from "./host/stage.ts";

/** What ssh-audit says of a server's algorithms; those that it finds no fault with have notes of the kind `info` alone. */
type Audit = Readonly<
  Record<string, readonly { readonly algorithm: string; readonly notes: Readonly<Record<string, unknown>> }[]>
>;

/** The tools of others, from Debian, judge a host before and after it is set up. */
describe("a host that was set up", () => {
  let { at, configure, host, remove, setUp } = {} as Stage;
  let before: { readonly index: number; readonly weak: readonly string[] };

  /** Lynis's hardening index, 0 to 100. */
  const index = async (): Promise<number> => {
    await at("lynis audit system --quick --no-colors >/dev/null 2>&1 </dev/null || true");
    return Number(await at("sed -n 's/^hardening_index=//p' /var/log/lynis-report.dat"));
  };

  /** The algorithms that ssh-audit fails or warns of, its exit codes 3 and 2. */
  const weak = async (): Promise<string[]> => {
    const audit = JSON.parse(await at("ssh-audit --json 127.0.0.1 || [ $? -lt 4 ]")) as Audit;
    return ["kex", "key", "enc", "mac"].flatMap((kind) =>
      (audit[kind] ?? [])
        .filter(({ notes }) => notes.fail !== undefined || notes.warn !== undefined)
        .map(({ algorithm }) => `${kind} ${algorithm}`),
    );
  };

  beforeAll(async () => {
    ({ at, configure, host, remove, setUp } = await stage("e2e-host-proof"));
    configure();
    const install = "apt-get -qq install --yes --no-install-recommends lynis ssh-audit";
    await at(`export DEBIAN_FRONTEND=noninteractive; apt-get -qq update; ${install} >/dev/null 2>&1`);
    before = { index: await index(), weak: await weak() };
    const { code, stdout, stderr } = await setUp();
    expect(code, stdout + stderr).toBe(0);
  });
  afterAll(() => remove?.());

  test("offers nothing over SSH that ssh-audit finds weak, as it did before", async () => {
    expect(before.weak).not.toEqual([]);
    expect(await weak()).toEqual([]);
  });

  test("has a far better hardening index of Lynis than before", async () => {
    const after = await index();
    const suggestions = await at("grep -E '^(warning|suggestion)' /var/log/lynis-report.dat | cut -d'|' -f1,2");
    process.stdout.write(`Lynis on ${host.container}: ${before.index} before, ${after} after\n${suggestions}\n`);
    expect(after).toBeGreaterThanOrEqual(before.index + 10);
    expect(after).toBeGreaterThanOrEqual(70);
    expect(suggestions).not.toContain("warning[]");
  });
});
