import { parse } from "yaml";
import type { Config } from "./config.ts";
import type { Venue } from "./messages.ts";

const usual = ["BTC-USD", "ETH-USD", "SPY"];

/** A YAML file's top level, `{}` when the variable names none. */
export function yamlFile({ env }: Config, variable: string): Readonly<Record<string, unknown>> {
  const content: unknown = parse(env.file(variable) ?? "{}");
  if (typeof content === "object" && content !== null && !Array.isArray(content))
    return content as Record<string, unknown>;
  throw new Error(`${variable}: the file must hold a mapping`);
}

/** The symbols that are traded: `symbols` of SYMBOLS_CONFIG, or SYMBOLS with commas, or the usual ones. */
export function symbolsOf(config: Config): readonly string[] {
  const { symbols } = yamlFile(config, "SYMBOLS_CONFIG");
  if (Array.isArray(symbols) && symbols.length > 0) return symbols.map(String);
  const listed = config.env.list("SYMBOLS");
  return listed.length > 0 ? listed : usual;
}

/** Pairs with the dollar trade at the crypto exchanges, everything else at Interactive Brokers. */
export function venueOf(symbol: string): Venue {
  return /-(USD|USDT|EUR)$/.test(symbol) ? "crypto" : "ib";
}

const known: Readonly<Record<string, number>> = { "BTC-USD": 60_000, "ETH-USD": 3_000, SPY: 550 };
const UNKNOWN_PRICE = 100;

/** Where a simulated price begins. */
export function startPrice(symbol: string): number {
  return known[symbol] ?? UNKNOWN_PRICE;
}
