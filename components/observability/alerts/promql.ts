import { parser } from "@prometheus-io/lezer-promql";

/** A metric as an expression reads it. */
export interface Selector {
  readonly metric: string;
  /** Values that its labels must have, by name and by the operator: `=`, `!=`, `=~`, `!~`. */
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

const unquoted = (text: string) => text.slice(1, -1).replaceAll(/\\(.)/g, "$1");

/**
 * The metrics that an expression reads, as often as it reads them.
 * @throws where the expression is no PromQL, or names no metric
 */
export function selectorsOf(expr: string): readonly Selector[] {
  const found: { metric: string; matchers: Selector["matchers"][number][] }[] = [];
  let label = "";
  let operator = "";
  parser.parse(expr).iterate({
    enter: ({ name, type, from, to, node }) => {
      if (type.isError) throw new Error(`no PromQL at "${expr.slice(from, from + 20)}": ${expr}`);
      const text = expr.slice(from, to);
      const matcher = node.parent?.name.endsWith("LabelMatcher") === true;
      if (name === "VectorSelector") found.push({ metric: "", matchers: [] });
      const selector = found.at(-1);
      if (selector === undefined) return;
      if (name === "Identifier" && node.parent?.name === "VectorSelector") selector.metric = text;
      else if (name === "LabelName" && matcher) label = text;
      else if (name === "MatchOp") operator = text;
      else if (name === "StringLiteral" && matcher) selector.matchers.push({ label, operator, value: unquoted(text) });
    },
  });
  if (found.some(({ metric }) => metric === "")) throw new Error(`a selector names no metric: ${expr}`);
  return found;
}

/** The names of the metrics that an expression reads, each once. */
export const metricsOf = (expr: string): readonly string[] => [
  ...new Set(selectorsOf(expr).map(({ metric }) => metric)),
];
