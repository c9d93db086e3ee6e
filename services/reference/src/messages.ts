/** A message that will never be right: it is dropped with its reason, not tried again. */
export class MessageError extends Error {}

export type Payload = Readonly<Record<string, unknown>>;

export type Side = "buy" | "sell";
export type Venue = "ib" | "crypto";
export const limits = ["var", "leverage", "concentration", "daily_loss"] as const;
export type Limit = (typeof limits)[number];

/** Below the time after which the stream delivers again, so that a slow venue gets no order twice. */
const LONGEST_LATENCY_MS = 5000;

/** What a test may ask for; it travels with the order, signed like the rest of it. */
export interface Simulation {
  /** The venue refuses the order. */
  readonly fail?: boolean;
  readonly slippageBps?: number;
  /** The venue takes this long. */
  readonly latencyMs?: number;
  /** The portfolio breaches this limit from now on; "none" ends it. */
  readonly breach?: Limit | "none";
}

export interface NewsItem {
  readonly id: string;
  readonly headline: string;
  readonly symbol: string;
  readonly source: string;
  readonly at: string;
  readonly simulate?: Simulation;
}

/** The id of a news item, its intent, its order and its fill is the same: one question follows it all the way. */
export interface Intent {
  readonly id: string;
  readonly symbol: string;
  readonly side: Side;
  readonly quantity: number;
  readonly model: string;
  readonly at: string;
  readonly simulate?: Simulation;
}

export interface Order {
  readonly id: string;
  readonly symbol: string;
  readonly side: Side;
  readonly quantity: number;
  readonly limitPrice: number;
  readonly venue: Venue;
  readonly intentAt: string;
  readonly at: string;
  readonly simulate?: Simulation;
}

export interface Fill {
  readonly id: string;
  readonly symbol: string;
  readonly side: Side;
  readonly quantity: number;
  readonly price: number;
  readonly slippageBps: number;
  readonly venue: Venue;
  readonly paper: true;
  readonly at: string;
}

export interface Tick {
  readonly symbol: string;
  readonly price: number;
  readonly bid: number;
  readonly ask: number;
  readonly volume: number;
  readonly at: string;
}

export function parsePayload(text: string): Payload {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Payload;
  } catch {
    // Reported below.
  }
  throw new MessageError("is no JSON object");
}

export function text(payload: Payload, name: string, maxLength = 500): string {
  const value = payload[name];
  if (typeof value === "string" && value !== "" && value.length <= maxLength) return value;
  throw new MessageError(`${name} must be a text of 1 to ${maxLength} characters`);
}

/** An id is used in URLs, subjects and keys. */
export function identifier(payload: Payload, name = "id"): string {
  const value = text(payload, name, 64);
  if (/^[A-Za-z0-9_-]+$/.test(value)) return value;
  throw new MessageError(`${name} may hold letters, digits, - and _ only`);
}

export function symbol(payload: Payload): string {
  const value = text(payload, "symbol", 20);
  if (/^[A-Z0-9.-]+$/.test(value)) return value;
  throw new MessageError("symbol must be upper case, such as BTC-USD");
}

export function number(payload: Payload, name: string): number {
  const value = payload[name];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new MessageError(`${name} must be a number`);
}

export function positive(payload: Payload, name: string): number {
  const value = number(payload, name);
  if (value > 0) return value;
  throw new MessageError(`${name} must be more than 0`);
}

export function oneOf<T extends string>(payload: Payload, name: string, known: readonly T[]): T {
  const found = known.find((candidate) => candidate === payload[name]);
  if (found !== undefined) return found;
  throw new MessageError(`${name} must be one of ${known.join(", ")}`);
}

/** The simulation that a message carries, as an object to spread: `{}` when there is none. */
export function simulation(payload: Payload): { simulate?: Simulation } {
  const value = payload.simulate;
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new MessageError("simulate must be an object");
  const given = value as Payload;
  for (const name of Object.keys(given)) {
    if (!["fail", "slippageBps", "latencyMs", "breach"].includes(name))
      throw new MessageError(`simulate.${name} is not known`);
  }
  return {
    simulate: {
      ...(given.fail === undefined ? {} : { fail: given.fail === true }),
      ...(given.slippageBps === undefined ? {} : { slippageBps: number(given, "slippageBps") }),
      ...(given.latencyMs === undefined
        ? {}
        : { latencyMs: Math.min(Math.max(number(given, "latencyMs"), 0), LONGEST_LATENCY_MS) }),
      ...(given.breach === undefined ? {} : { breach: oneOf(given, "breach", [...limits, "none"]) }),
    },
  };
}

const sides = ["buy", "sell"] as const;
const venues = ["ib", "crypto"] as const;

export function parseNews(payload: Payload): NewsItem {
  return {
    id: identifier(payload),
    headline: text(payload, "headline"),
    symbol: symbol(payload),
    source: text(payload, "source", 50),
    at: text(payload, "at", 40),
    ...simulation(payload),
  };
}

export function parseIntent(payload: Payload): Intent {
  return {
    id: identifier(payload),
    symbol: symbol(payload),
    side: oneOf(payload, "side", sides),
    quantity: positive(payload, "quantity"),
    model: text(payload, "model", 50),
    at: text(payload, "at", 40),
    ...simulation(payload),
  };
}

export function parseOrder(payload: Payload): Order {
  return {
    id: identifier(payload),
    symbol: symbol(payload),
    side: oneOf(payload, "side", sides),
    quantity: positive(payload, "quantity"),
    limitPrice: positive(payload, "limitPrice"),
    venue: oneOf(payload, "venue", venues),
    intentAt: text(payload, "intentAt", 40),
    at: text(payload, "at", 40),
    ...simulation(payload),
  };
}

export function parseFill(payload: Payload): Fill {
  return {
    id: identifier(payload),
    symbol: symbol(payload),
    side: oneOf(payload, "side", sides),
    quantity: positive(payload, "quantity"),
    price: positive(payload, "price"),
    slippageBps: number(payload, "slippageBps"),
    venue: oneOf(payload, "venue", venues),
    paper: true,
    at: text(payload, "at", 40),
  };
}

export function parseTick(payload: Payload): Tick {
  return {
    symbol: symbol(payload),
    price: positive(payload, "price"),
    bid: positive(payload, "bid"),
    ask: positive(payload, "ask"),
    volume: number(payload, "volume"),
    at: text(payload, "at", 40),
  };
}
