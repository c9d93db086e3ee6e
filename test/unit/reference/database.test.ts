import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../../services/reference/src/config.ts";
import { Database } from "../../../services/reference/src/database.ts";
import { Service } from "../../../services/reference/src/service.ts";
import { sleep } from "../../../services/reference/src/timing.ts";
import { quietLog, testMetrics } from "./helpers.ts";

/** Messages of Postgres's protocol, version 3. */
const AUTHENTICATED = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
const DONE = Buffer.concat([Buffer.from([0x43, 0, 0, 0, 13]), Buffer.from("SELECT 1\0"), READY]);

let server: Server;
let database: Database;
const open = new Set<Socket>();

/** A Postgres that takes its time to let a client in, and never answers a query that says `slow`. */
async function databaseAt(loginMs: number): Promise<void> {
  server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    let greeted = false;
    socket.on("data", (data) => {
      if (greeted) {
        if (!data.includes("slow")) socket.write(DONE);
        return;
      }
      greeted = true;
      setTimeout(() => socket.write(Buffer.concat([AUTHENTICATED, READY])), loginMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const config = loadConfig({
    OTEL_SERVICE_NAME: "reporter",
    POSTGRES_HOST: "127.0.0.1",
    POSTGRES_PORT: String(address.port),
  });
  database = new Database(config.postgres, "reporter", quietLog().log, testMetrics().metrics);
}

describe("the database of a service", () => {
  afterEach(async () => {
    for (const socket of open) socket.destroy();
    open.clear();
    await database.stop();
    server.close();
  });

  it("lets a slow login finish instead of beginning it again and again", async () => {
    await databaseAt(2500);
    await expect(database.query("one", "SELECT 1")).resolves.toEqual([]);
    expect(open.size).toBe(1);
  });

  it("is probed while all its connections are at work", async () => {
    await databaseAt(0);
    const work = Array.from({ length: 5 }, () => database.query("busy", "SELECT slow").catch(() => undefined));
    await expect(Promise.race([database.probe(), sleep(1000).then(() => "no answer")])).resolves.not.toBe("no answer");
    for (const socket of open) socket.destroy();
    await Promise.all(work);
  });
});

it("tries failed work again before its next turn", async () => {
  const service = new Service(loadConfig({ OTEL_SERVICE_NAME: "backtest-engine" }));
  let runs = 0;
  await new Promise<void>((resolve) =>
    service.every(60_000, "schema", async () => {
      runs++;
      if (runs < 3) throw new Error("not yet");
      resolve();
    }),
  );
  await service.stop();
  expect(runs).toBe(3);
});
