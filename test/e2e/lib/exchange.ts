import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../../../tools/lib/workspace.ts";
import { eventually } from "./http.ts";
import { freePort } from "./stack.ts";

/** An order as the exchange of test/applications/exchange.py took it. */
export interface PlacedOrder {
  readonly id: string;
  readonly symbol: string;
  readonly quantity: number;
  /** Milliseconds since 1970. */
  readonly received: number;
}

/** The tests' exchange, beside the stack as an exchange on the internet is: a program of this machine. */
export class PaperExchange {
  readonly port: number;
  readonly #server: ChildProcess;

  private constructor(port: number, server: ChildProcess) {
    this.port = port;
    this.#server = server;
  }

  /** @param key the one key that it takes */
  static async start(key: string): Promise<PaperExchange> {
    const port = await freePort();
    const program = join(root, "test", "applications", "exchange.py");
    const env = { PATH: process.env.PATH, EXCHANGE_KEY: key, EXCHANGE_PORT: String(port) };
    const exchange = new PaperExchange(port, spawn("python3", [program], { env, stdio: "ignore" }));
    await eventually("the exchange", 20, () => exchange.orders());
    return exchange;
  }

  async orders(): Promise<PlacedOrder[]> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/orders`);
    return ((await answer.json()) as { orders: PlacedOrder[] }).orders;
  }

  stop(): void {
    this.#server.kill();
  }
}
