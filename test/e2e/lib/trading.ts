import { signToken } from "../../../services/reference/src/jwt.ts";
import { type Answer, eventually, https } from "./http.ts";
import { docker, type TestStack } from "./stack.ts";

/** A token of an hour, as the API's clients are given one. */
export function token(secret: string, scope = "trade", sub = "e2e"): string {
  const iat = Math.floor(Date.now() / 1000);
  return signToken({ sub, scope, iat, exp: iat + 3600 }, secret);
}

/** The header of a trader who may post news and see orders. */
export async function trader(stack: TestStack): Promise<Record<string, string>> {
  const secret = await docker("exec", await stack.container("gateway-api"), "cat", "/run/secrets/env/JWT_SECRET");
  return { authorization: `Bearer ${token(secret)}` };
}

/** One is bought on, the other sold on: in turn they keep the position within risk-manager's limits. */
const headlines = ["Bitcoin rallies on record inflows", "Bitcoin falls on outflows"] as const;
let posted = 0;

/** Posts a news item that the stand-ins turn into an order; answers its id. */
export async function postNews(stack: TestStack, headers: Record<string, string>): Promise<string> {
  const body = { headline: headlines[posted++ % headlines.length], symbol: "BTC-USD" };
  const { status, body: answer } = await https(`${stack.url}/api/news`, { method: "POST", headers, body });
  if (status !== 202) throw new Error(`the news item was answered with ${status}: ${answer}`);
  return (JSON.parse(answer) as { id: string }).id;
}

/** What is known of the order that came of a news item: that it was accepted, or its fill. */
export function orderOf(stack: TestStack, headers: Record<string, string>, id: string): Promise<Answer> {
  return https(`${stack.url}/api/orders/${id}`, { headers });
}

/** Whether the order that came of a news item is in the ledger. */
export async function isFilled(stack: TestStack, headers: Record<string, string>, id: string): Promise<boolean> {
  const { status, body } = await orderOf(stack, headers, id);
  return status === 200 && (JSON.parse(body) as { state: string }).state === "filled";
}

/** Waits for the fill in the ledger. */
export function filled(stack: TestStack, headers: Record<string, string>, id: string, seconds = 60): Promise<true> {
  return eventually(`the fill of ${id}`, seconds, async () =>
    (await isFilled(stack, headers, id)) ? true : undefined,
  );
}
