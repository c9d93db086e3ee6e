import { readdirSync, readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

/** What a piece of work took. */
export interface Measured {
  readonly seconds: number;
  /** The most memory that the programs it started had at one time, in MiB: their own, without what they share (proc(5), statm). */
  readonly peakMiB: number;
}

/** How often memory is looked at. A program that lives shorter may be missed. */
const LOOK_MS = 200;
/** Linux counts memory in pages; of 4 KiB on the processors that the platform runs on. */
const PAGE = 4096;

/** Runs a piece of work, and measures it. */
export async function measure(work: () => Promise<unknown>): Promise<Measured> {
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, memoryOfChildren(process.pid));
  }, LOOK_MS);
  try {
    const took = await seconds(work);
    return { seconds: took, peakMiB: peak / 1024 ** 2 };
  } finally {
    clearInterval(timer);
  }
}

/** How long a piece of work took, in seconds. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Bytes of a process's descendants together. */
function memoryOfChildren(pid: number): number {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const parent = parentOf(entry);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const sum = (of: number): number =>
    (children.get(of) ?? []).reduce((bytes, child) => bytes + memoryOf(child) + sum(child), 0);
  return sum(pid);
}

/** Undefined for what is no process, or has ended meanwhile. */
function parentOf(entry: string): number | undefined {
  if (!/^\d+$/.test(entry)) return undefined;
  // The program's name stands in brackets, and may hold spaces and brackets.
  return Number(textOf(`/proc/${entry}/stat`).split(")").at(-1)?.trim().split(" ")[1]) || undefined;
}

function memoryOf(pid: number): number {
  const [, resident = 0, shared = 0] = textOf(`/proc/${pid}/statm`).split(" ").map(Number);
  return (resident - shared) * PAGE;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
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
