import { type Status, span, type WorkloadStatus } from "./status.ts";
import { rows } from "./text.ts";

/** As much of a digest as tells two apart by eye. */
const DIGEST_SHOWN = 12;

export interface View {
  readonly width: number;
  readonly colour: boolean;
}

const COLOURS = { red: 31, green: 32, yellow: 33, bold: 1 } as const;
type Paint = (text: string, colour: keyof typeof COLOURS) => string;

/** Pairs under a heading; nothing where there are none. */
const section = (heading: string, pairs: readonly (readonly [string, string])[], width: number): string[] =>
  pairs.length === 0 ? [] : [`${heading}\n${rows(pairs, width)}`];

function table(workloads: readonly WorkloadStatus[], now: number, paint: Paint): string {
  const cells = workloads.map(({ name, state, health, note, digest, since, restarts }) => [
    name,
    note ?? (state === "running" ? (health ?? "running") : state),
    digest?.slice(0, DIGEST_SHOWN) ?? "-",
    since === null ? "-" : span(now - Date.parse(since)),
    String(restarts),
  ]);
  const head = ["workload", "state", "image", "age", "restarts"];
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd();
  const lines = workloads.map(({ problem }, index) => {
    const text = line(cells[index] ?? []);
    return problem === null ? text : paint(text, "red");
  });
  return [paint(line(head), "bold"), ...lines].join("\n");
}

/** The status for a terminal: what is wrong comes first, and what is well last. */
export function statusText(status: Status, { width, colour }: View): string {
  const paint: Paint = (text, name) => (colour ? `\u001b[${COLOURS[name]}m${text}\u001b[0m` : text);
  const {
    stack,
    environment,
    verdict,
    trading,
    killSwitch,
    deployment,
    changing,
    problems,
    due,
    alerts,
    workloads,
    silent,
  } = status;
  const now = Date.parse(status.at);
  const verdicts = {
    fine: paint("FINE", "green"),
    wrong: paint(`WRONG (${problems.length})`, "red"),
    unknown: paint("UNKNOWN", "yellow"),
  };
  const where = environment === stack ? stack : `${stack} (environment ${environment})`;
  const money = trading === "live" ? paint("LIVE: real money", "bold") : "paper trading";
  const kill =
    killSwitch === null ? "kill switch not known" : killSwitch.on ? paint("kill switch ON", "red") : "kill switch off";
  const hidden = (alerts ?? []).filter(({ silenced }) => silenced);
  const well = (workloads ?? []).filter(({ problem }) => problem === null).length;
  const dueWords = (overdue: boolean, says: string) => (overdue ? `OVERDUE: ${says}` : says);
  const facts: readonly (readonly [string, string])[] = [
    ...(deployment === null
      ? []
      : [
          [
            "last deployment",
            `${span(now - Date.parse(deployment.at))} ago, ${deployment.result}, ${deployment.by === null ? "not by ./autollm" : `by ${deployment.by}`}${deployment.commit === null ? "" : `, commit ${deployment.commit.slice(0, 10)}`}`,
          ] as const,
        ]),
    ...(changing === null
      ? []
      : [
          [
            "being changed",
            `by ${changing.who} from ${changing.from} (${changing.command}) since ${changing.since}`,
          ] as const,
        ]),
    ...(hidden.length === 0 ? [] : [["silenced", [...new Set(hidden.map(({ name }) => name))].join(", ")] as const]),
  ];
  const ordered = (workloads ?? []).toSorted(
    (one, other) => Number(one.problem === null) - Number(other.problem === null),
  );
  const firing = (alerts ?? []).some(({ silenced }) => !silenced);
  return [
    `${verdicts[verdict]}  ${where}, ${money}, ${kill}  ${status.at.slice(0, 19)}Z`,
    ...section(
      "WRONG",
      problems.map(({ what, says }) => [what, says]),
      width,
    ),
    ...(firing ? ["  Each alert has its page: docs/runbooks/NAME.md"] : []),
    ...section(
      "NOT SEEN",
      silent.map(({ source, says }) => [source, says]),
      width,
    ),
    ...(facts.length === 0 ? [] : [rows(facts, width)]),
    ...section(
      "DUE",
      (due ?? []).map(({ what, overdue, says }) => [what, dueWords(overdue, says)]),
      width,
    ),
    ...(workloads === null || workloads.length === 0
      ? []
      : [`WORKLOADS: ${well} of ${workloads.length} well\n${table(ordered, now, paint)}`]),
  ].join("\n\n");
}
