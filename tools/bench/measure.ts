import { cpus, release, totalmem } from "node:os";

/** How long a piece of work took, in seconds. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  const shown = (cell: string | number) => (typeof cell === "number" ? cell.toFixed(1) : cell);
  return [line(head), line(head.map(() => "---")), ...rows.map((row) => line(row.map(shown)))].join("\n");
}

/** Where and when figures were taken. */
export function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 1024 ** 3);
  return `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpu?.model.trim() ?? "unknown"}), ${memory} GiB, Linux ${release()}`;
}
