/**
 * A page with another text between two marks, which stay.
 * @throws where the page lacks one of them
 */
export function between(page: string, begin: string, end: string, text: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`the page has no "${begin}" with an end`);
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`;
}
