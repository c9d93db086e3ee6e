import { expect } from "vitest";
import { type CaddyfileArgs, caddyfile } from "../../../components/edge/caddyfile.ts";
import { routes } from "../../../components/edge/routes.ts";

/** The Caddyfile of a stack with that domain. */
export const render = (domain: string, httpsPort = 443, change: Partial<CaddyfileArgs> = {}) =>
  caddyfile({
    ...{
      domains: [{ name: domain }],
      httpsPort,
      routes,
      loginFile: "secrets/login",
      adminNetworks: [],
      trustedProxies: [],
      acmeStaging: false,
    },
    ...change,
  });
export const trimmed = (text: string) => text.split("\n").map((line) => line.trim());

/** The lines between `start` and the brace that closes it. */
export function block(text: string, start: string): readonly string[] {
  const lines = trimmed(text);
  const first = lines.indexOf(start);
  expect(first, `a block ${start}`).toBeGreaterThanOrEqual(0);
  let depth = 0;
  const end = lines.findIndex((line, index) => {
    if (index < first) return false;
    depth += Number(line.endsWith("{")) - Number(line === "}");
    return depth === 0;
  });
  return lines.slice(first + 1, end);
}

export const publicSite = render("trader.example.com");
export const localSite = render("localhost", 8443);
/** The place of a path's route in the table, by which its matchers are named. */
export const routeOf = (path: string) => routes.findIndex(({ paths }) => paths.includes(path));
export const handlerOf = (path: string, site = publicSite) => block(site, `handle @route${routeOf(path)} {`);
/** The conditions of a route. */
export const matcherOf = (path: string, site: string) => {
  const name = `@route${routeOf(path)}`;
  const line = trimmed(site).find((each) => each.startsWith(`${name} `));
  return line === `${name} {` ? block(site, line) : [line?.slice(name.length + 1)];
};
