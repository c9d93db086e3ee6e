import { readdirSync } from "node:fs";

/** How a file is called that was set aside: by components/runtime/set-aside.sh, a guard (bolt-guard.sh), Redis's start, and the collector itself. */
const SET_ASIDE = /\.damaged-\d{8}T\d{6}Z$|\.backup$/;

export const DAMAGED_FILES = "volume_damaged_files";

/** What was set aside in each volume, for Prometheus. One that cannot be read is left out. */
export function damagedPage(volumes: Readonly<Record<string, string>>): string {
  const samples = Object.entries(volumes).flatMap(([volume, directory]) => {
    try {
      const count = readdirSync(directory).filter((name) => SET_ASIDE.test(name)).length;
      return [`${DAMAGED_FILES}{volume=${JSON.stringify(volume)}} ${count}`];
    } catch {
      return [];
    }
  });
  return [
    `# HELP ${DAMAGED_FILES} Damaged files that were set aside in the volume, and are still there.`,
    `# TYPE ${DAMAGED_FILES} gauge`,
    ...samples,
    "",
  ].join("\n");
}
