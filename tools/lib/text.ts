/** Words in lines of a width at most; the lines after the first begin with the indent. A word that is longer stands alone. */
export function filled(words: readonly string[], width: number, indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    const next = line === "" ? word : `${line} ${word}`;
    if (line === "" || next.length <= width) line = next;
    else {
      lines.push(line);
      line = `${indent}${word}`;
    }
  }
  return [...lines, line].join("\n");
}

/** Paragraphs, each in lines of a width; what is indented stays as it is. */
export function paragraphs(text: string, width: number): string {
  return text
    .split("\n\n")
    .map((each) => (each.startsWith(" ") ? each : filled(each.split(/\s+/), width)))
    .join("\n\n");
}

/** Pairs as two columns; the second one goes on in lines of its own. */
export function rows(pairs: readonly (readonly [string, string])[], width: number): string {
  const first = Math.max(0, ...pairs.map(([name]) => name.length)) + 5;
  const indent = `\n${" ".repeat(first)}`;
  return pairs
    .map(([name, text]) => `  ${name}`.padEnd(first) + filled(text.split(" "), width - first).replaceAll("\n", indent))
    .join("\n");
}
