import { expect, it } from "vitest";
import { terminalPage } from "../../../tools/docs/screenshots.ts";

it("a terminal's text is a page: with its colours, and without any tag of its own", () => {
  const page = terminalPage("\u001b[31mWRONG\u001b[0m a <b> & c");
  expect(page).toContain('<span style="color:#ff7b72">WRONG</span> a &lt;b> &amp; c</pre>');
});
