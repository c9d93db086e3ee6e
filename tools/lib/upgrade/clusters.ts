import type { Daemon } from "../daemon.ts";
import { UserError } from "../log.ts";
import { helper, type Volume } from "../restore/volumes.ts";

/** A cluster of a former major version, which an upgrade has kept. */
export interface Kept {
  readonly major: number;
  readonly bytes: number;
  /** Whether the upgrade may still go back to it by itself: no service has written to the new one. */
  readonly mayReturn: boolean;
}

/** What is in Postgres's volume. */
export interface Clusters {
  /** Major version of the cluster that Postgres starts on; undefined in a new volume. */
  readonly data: number | undefined;
  readonly bytes: number;
  readonly freeBytes: number;
  readonly kept: readonly Kept[];
}

/** The new cluster until it takes the present one's place. */
export const UPGRADED = "pgdata.upgraded";

/**
 * The folders of Postgres's volume. While one cluster takes another's place, the one that Postgres is to start on after an interruption is
 * called `pgdata` or, if there is none, `pgdata.replaced`: Postgres's own start puts that back (components/data/postgres-start.sh).
 */
export class ClusterFolders {
  readonly #volume: Volume;

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  get #daemon(): Daemon {
    return this.#volume.daemon;
  }

  #run(script: readonly string[], args: readonly string[] = [], readOnly = false): Promise<string> {
    const shell = ["--entrypoint", "/bin/sh", this.#volume.image, "-euc", ["cd /volume", ...script].join("\n")];
    return this.#daemon.ask(...helper(this.#volume, { readOnly }), ...shell, "sh", ...args);
  }

  /** Looks, and changes nothing. */
  async look(): Promise<Clusters> {
    const said = await this.#run(
      [
        "present=pgdata; [ -e pgdata ] || present=pgdata.replaced",
        'if [ -e "$present/PG_VERSION" ]; then echo "data $(cat "$present/PG_VERSION") $(du -sk "$present" | cut -f1)"; fi',
        'for each in pgdata.[0-9]*; do if [ -d "$each" ]; then echo "kept $(echo "$each" | cut -d . -f 2) $(du -sk "$each" | cut -f1) $(if [ -e "$each.image" ]; then echo return; fi)"; fi; done',
        'echo "free 0 $(df -Pk . | sed -n 2p | tr -s " " | cut -d " " -f 4)"',
      ],
      [],
      true,
    );
    const rows = said.split("\n").map((line) => line.split(" "));
    const of = (what: string) =>
      rows
        .filter(([word]) => word === what)
        .map(([, major, kilobytes, mark]) => ({
          major: Number(major),
          bytes: Number(kilobytes) * 1024,
          mayReturn: mark === "return",
        }));
    const [data] = of("data");
    return {
      data: data?.major,
      bytes: data?.bytes ?? 0,
      freeBytes: of("free")[0]?.bytes ?? 0,
      kept: of("kept"),
    };
  }

  /** Ends what an interrupted upgrade has left: the present cluster has its name, a finished one is kept, an unfinished one is gone. */
  async settle(): Promise<void> {
    await this.#run([
      "if [ ! -e pgdata ] && [ -e pgdata.replaced ]; then mv pgdata.replaced pgdata; fi",
      `rm -rf ${UPGRADED} pgdata.failed`,
      // Of the same version it is an interrupted restore's, which removes it.
      "if [ -e pgdata.replaced/PG_VERSION ]; then",
      "  former=$(cat pgdata.replaced/PG_VERSION)",
      '  if [ "$former" != "$(cat pgdata/PG_VERSION)" ]; then mv pgdata.replaced "pgdata.$former"; fi',
      "fi",
      'for each in pgdata.*.image; do if [ ! -d "$(basename "$each" .image)" ]; then rm -f "$each"; fi; done',
      "sync",
    ]);
  }

  /** Puts the new cluster in the present one's place, and keeps that. Postgres is stopped. */
  async swap(former: number, reference: string): Promise<void> {
    await this.#run(
      [
        `[ -s ${UPGRADED}/PG_VERSION ]`,
        // Which image the way back needs.
        'printf "%s\\n" "$2" >"pgdata.$1.image"',
        'rm -rf "pgdata.$1"',
        "mv pgdata pgdata.replaced",
        `mv ${UPGRADED} pgdata`,
        'mv pgdata.replaced "pgdata.$1"',
        "sync",
      ],
      [String(former), reference],
    );
  }

  /** Puts the kept cluster back; the new one stays as `pgdata.failed` until the next upgrade. Postgres is stopped. */
  async swapBack(former: number): Promise<void> {
    await this.#run(
      [
        'mv "pgdata.$1" pgdata.replaced',
        "mv pgdata pgdata.failed",
        "mv pgdata.replaced pgdata",
        'rm -f "pgdata.$1.image"',
        "sync",
      ],
      [String(former)],
    );
  }

  /** The reference of the image that a kept cluster ran on. */
  async imageOf(former: number): Promise<string> {
    const reference = await this.#run(['cat "pgdata.$1.image"'], [String(former)], true);
    if (reference === "") throw new UserError(`the volume does not say which image Postgres ${former} had`);
    return reference;
  }

  /** From here on services write to the new cluster, and no upgrade goes back by itself. */
  async settleOnNew(former: number): Promise<void> {
    await this.#run(['rm -f "pgdata.$1.image"', "sync"], [String(former)]);
  }

  async removeKept(former: number): Promise<void> {
    await this.#run(['rm -rf "pgdata.$1" "pgdata.$1.image" pgdata.failed'], [String(former)]);
  }
}
