import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { writeDashboards } from "../cli/dashboards.ts";
import { command, STACK } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { run, which } from "../lib/run.ts";
import { statusOf } from "../lib/status.ts";
import { factsOf } from "../lib/statusFacts.ts";
import { statusText } from "../lib/statusText.ts";
import { root } from "../lib/workspace.ts";

/** A page as a picture of README.md. */
interface Picture {
  readonly name: string;
  readonly page: string;
  readonly width: number;
  readonly height: number;
}

const DASHBOARD = "trading-operations";
const COLUMNS = 92;
/** What a terminal of 12 pixels takes: a column, a line, the margins. */
const [COLUMN, LINE, MARGIN] = [7.3, 16, 16];

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const COLOURS = { "31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "1": "#ffffff" } as const;

/** A terminal's text as a page: its colours, and nothing else that an escape sequence can say. */
export function terminalPage(text: string): string {
  const coloured = Object.entries(COLOURS).reduce(
    (page, [code, colour]) => page.replaceAll(`\u001b[${code}m`, `<span style="color:${colour}">`),
    escaped(text).replaceAll("\u001b[0m", "</span>"),
  );
  const style = `margin:${MARGIN}px;background:#0d1117;color:#c9d1d9;font:12px/${LINE}px 'DejaVu Sans Mono',monospace`;
  const body = stripVTControlCharacters(coloured);
  return `<!doctype html><meta charset="utf-8"><body style="${style}"><pre style="margin:0;font:inherit">${body}</pre>`;
}

async function statusPicture(stack: string, folder: string): Promise<Picture> {
  const text = statusText(statusOf(await factsOf(stack)), { width: COLUMNS, colour: true });
  const page = join(folder, "status.html");
  writeFileSync(page, terminalPage(text));
  const height = text.split("\n").length * LINE + 2 * MARGIN;
  return { name: "status", page, width: Math.ceil(COLUMNS * COLUMN) + 2 * MARGIN, height };
}

async function shoot(browser: string, { name, page, width, height }: Picture): Promise<void> {
  const file = join(root, "docs/pictures", `${name}.png`);
  // Without its sandbox, as root may not have one: the pages are our own files.
  const options = ["--headless", "--no-sandbox", "--hide-scrollbars", `--window-size=${width},${height}`];
  await run(browser, [...options, `--screenshot=${file}`, pathToFileURL(page).href]);
  say(file);
}

export const screenshotsCommand = command(
  {
    about: `Writes README's pictures of a running stack, with the program chromium: a dashboard with its data, and \`./autollm status\`.`,
    options: {
      stack: STACK,
      dashboard: { type: "string", default: DASHBOARD, value: "UID", says: `which dashboard (default ${DASHBOARD})` },
      minutes: { type: "string", default: "30", value: "N", says: "how far back (default 30)" },
    },
    changes: "nothing",
  },
  async ({ stack, dashboard, minutes }) => {
    const browser = await which("chromium");
    if (browser === undefined) throw new UserError("chromium is not on PATH: apt-get install chromium");
    const folder = mkdtempSync(join(tmpdir(), "autollm-screenshots-"));
    try {
      mkdirSync(join(root, "docs/pictures"), { recursive: true });
      await writeDashboards(stack, minutes, folder);
      const page = join(folder, `${dashboard}.html`);
      for (const picture of [{ name: "dashboard", page, width: 1232, height: 818 }, await statusPicture(stack, folder)])
        await shoot(browser, picture);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return 0;
  },
);
