/** Where this machine gets Debian's packages from. */
export interface Mirror {
  readonly main: string;
  readonly security: string | undefined;
}

interface Source {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
}

/** Finds Debian's mirror in the texts of apt's source files, of either format; `codename` is this machine's release. */
export function debianMirror(texts: readonly string[], codename: string): Mirror | undefined {
  const sources = texts.flatMap((text) => (/^types:/im.test(text) ? deb822(text) : oneLine(text)));
  const find = (suite: string) =>
    sources.find((source) => source.suites.includes(suite) && source.components.includes("main"))?.uri;
  const main = find(codename);
  return main === undefined ? undefined : { main, security: find(`${codename}-security`) };
}

/** apt's source lines for another release of Debian from the same mirror. */
export function sourceLines(mirror: Mirror, suite: string): string {
  const lines = [`deb ${mirror.main} ${suite} main`, `deb ${mirror.main} ${suite}-updates main`];
  if (mirror.security !== undefined) lines.push(`deb ${mirror.security} ${suite}-security main`);
  return `${lines.join("\n")}\n`;
}

function deb822(text: string): Source[] {
  return text
    .replace(/^#.*\n?/gm, "")
    .split(/\n\s*\n/)
    .map((stanza) => {
      const field = (name: string) =>
        new RegExp(`^${name}:(.*(?:\\n[ \\t].*)*)`, "im").exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
      return { types: field("Types"), uris: field("URIs"), suites: field("Suites"), components: field("Components") };
    })
    .filter((stanza) => stanza.types.includes("deb"))
    .flatMap(({ uris, suites, components }) => uris.map((uri) => ({ uri, suites, components })));
}

function oneLine(text: string): Source[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.+?)\s*(?:#.*)?$/.exec(line);
    const [, uri, suite, components] = match ?? [];
    if (uri === undefined || suite === undefined || components === undefined) return [];
    return [{ uri, suites: [suite], components: components.split(/\s+/) }];
  });
}
