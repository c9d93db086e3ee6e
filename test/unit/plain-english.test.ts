import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The files that have been gone through. Add others when their words are plain: tools, services, components/host. */
const done = [
  "{CONTRIBUTING,README}.md",
  "docs/*.md",
  "docs/runbooks/*.md",
  "policies/**/*.{md,ts}",
  "components/*.ts",
  "components/{backup,broker,credentials,data,edge,observability,platform,runtime,strength}/**/*.ts",
  "test/**/*.ts",
  "tools/**/*.{ts,sh}",
  "services/**/*.{ts,sh}",
  "components/host/**/*.{ts,sh}",
  "{Pulumi.yaml,package.json}",
];

/** Files that the patterns cover and that are not done. */
const left = [
  // This table has the wrong words.
  "test/unit/plain-english.test.ts",
  // Texts of dashboards are files of Grafana's container: they wait for a change that replaces it anyway.
  "components/observability/dashboards/**",
];

interface Word {
  readonly wrong: RegExp;
  /** What to write instead. */
  readonly instead: string;
  /** A phrase that was found, so that the pattern is known to match. */
  readonly found: string;
  /** Lines that may have it, each with the reason. */
  readonly except?: readonly { readonly line: RegExp; readonly why: string }[];
}

const NUMBER = "one|two|three|a|an|each";
const THING = "service|credential|unit|part|component|segment|container|target|policy|stack|schema|workload|test|type";

/** Words that were found wrong. The glossary of CONTRIBUTING.md has the terms. */
const words: readonly Word[] = [
  { wrong: /\bmend(s|ed|ing)?\b/i, instead: "fix, or repair", found: "and how to mend it" },
  { wrong: /\banew\b/i, instead: "again", found: "writes Caddy's configuration anew" },
  {
    wrong: /\bwhoever\b/i,
    instead: "the role: operator, client, attacker, reader",
    found: "whoever breaks into it",
    except: [
      { line: /^\s*-- A function runs/, why: "a file of Postgres's container, which this word alone must not replace" },
    ],
  },
  { wrong: /\bunwell\b|\b(?:as|is|was|are) ill\b/i, instead: "unhealthy", found: "before it counts as ill" },
  {
    wrong: /\b(?:can|could|cannot|not|to) be had\b/i,
    instead: "is available, or can be made again",
    found: "no official plugin could be had",
  },
  { wrong: /\bst(?:and|ands|ood|anding) still\b/i, instead: "hangs", found: "the first part that stands still" },
  {
    wrong: /\b(?:in|within|out of) (?:its |their |the )?reach\b/i,
    instead: "reachable",
    found: "where a registry is in reach",
  },
  { wrong: /\bwhich there (?:is|are) not\b/i, instead: "which does not exist", found: "needs it, which there is not" },
  { wrong: /\bby half\b/i, instead: "incompletely", found: "applies some changes by half" },
  { wrong: /\blasting(?:ly)?\b/i, instead: "permanent", found: "one lasting key of the repository" },
  { wrong: /\bin the clear\b/i, instead: "in plain text", found: "nothing is saved in the clear" },
  {
    wrong: /\bwithout a word\b/i,
    instead: "without an error, or silently",
    found: "lacks transactions without a word",
  },
  { wrong: /\bcontainer engines?\b/i, instead: "container runtime, or daemon", found: "a container engine's socket" },
  { wrong: /\bparts? around\b/i, instead: "component", found: "a part around the services" },
  { wrong: /\blive files?\b/i, instead: "hot-reloaded file", found: "it has no live files" },
  { wrong: /\bkeepers? of the streams\b/i, instead: "stream keeper", found: "the keeper of the streams" },
  {
    wrong: /\b(?:answers|asks|tells|told) who\b/i,
    instead: "a subject: answers queries",
    found: "and answers who asks for them",
  },
  {
    wrong: new RegExp(`\\b(?:${NUMBER}) \\w+s? an? (?:${THING})\\b`, "i"),
    instead: "one X per Y",
    found: "one role a service",
  },
  {
    wrong: /(?:^|[.:] |- )(?:Was|Were|Does|Did|Had) [a-z][^.?:,]*(?:: |, [^?]*(?:\.|$))/,
    instead: "if …",
    found: "- Does it stay open: roll back",
  },
];

/** The text of a file without what quotes wrong words on purpose: the section of CONTRIBUTING.md on English. */
function linesOf(path: string): string[] {
  const text = readFileSync(`${root}${path}`, "utf8");
  const quoting = path === "CONTRIBUTING.md" ? /\n## English\n[\s\S]*?(?=\n## )/ : undefined;
  return (quoting === undefined ? text : text.replace(quoting, "")).split("\n");
}

describe("plain English", () => {
  const files = globSync(done, { cwd: root, exclude: left }).sort();

  it.each(words.map((word) => [word.found, word] as const))("knows %j", (_, { found, wrong }) => {
    expect(found).toMatch(wrong);
  });

  it.each(words.flatMap(({ except = [], wrong }) => except.map(({ line, why }) => [why, line, wrong] as const)))(
    "needs the exception of %s",
    (_, line, wrong) => {
      expect(files.some((path) => linesOf(path).some((each) => wrong.test(each) && line.test(each)))).toBe(true);
    },
  );

  it.each(done)("finds files for %s", (pattern) => {
    expect(globSync(pattern, { cwd: root }).length).toBeGreaterThan(0);
  });

  it.each(words.map((word) => [word.wrong.source, word] as const))(
    "has no %s",
    (_, { wrong, instead, except = [] }) => {
      const faults = files.flatMap((path) =>
        linesOf(path).flatMap((line, index) =>
          wrong.test(line) && !except.some((each) => each.line.test(line))
            ? [`${path}:${index + 1}: ${line.trim()} (write: ${instead})`]
            : [],
        ),
      );
      expect(faults).toEqual([]);
    },
  );
});
