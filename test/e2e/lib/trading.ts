import { signToken } from "../../../services/reference/src/jwt.ts";
import { type Answer, https } from "./http.ts";
import { docker, type TestStack } from "./stack.ts";

/** The header of a trader who may post news and see orders. */
export async function trader(stack: TestStack): Promise<Record<string, string>> {
  const secret = await docker("exec", await stack.container("gateway-api"), "cat", "/run/secrets/env/JWT_SECRET");
  const claims = { sub: "e2e", scope: "trade", exp: Math.floor(Date.now() / 1000) + 3600 };
  return { authorization: `Bearer ${signToken(claims, secret)}` };
}

/** Posts a news item that the stand-ins turn into an order; answers its id. */
export async function postNews(stack: TestStack, headers: Record<string, string>): Promise<string> {
  const body = { headline: "Bitcoin rallies on record inflows", symbol: "BTC-USD" };
  const { status, body: answer } = await https(`${stack.url}/api/news`, { method: "POST", headers, body });
  if (status !== 202) throw new Error(`the news item was answered with ${status}: ${answer}`);
  return (JSON.parse(answer) as { id: string }).id;
}

/** What is known of the order that came of a news item. */
export function orderOf(stack: TestStack, headers: Record<string, string>, id: string): Promise<Answer> {
  return https(`${stack.url}/api/orders/${id}`, { headers });
}
