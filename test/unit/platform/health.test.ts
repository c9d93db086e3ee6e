import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HEALTH_PROGRAMS } from "../../../components/platform/imageStart.ts";

const script = new URL("../../../components/platform/health.sh", import.meta.url).pathname;
/** The program itself: a shim of a version manager would need others. */
const which = (program: string) =>
  spawnSync("sh", ["-c", 'readlink -f "$(PATH=/usr/bin:/bin:$PATH command -v "$1")"', "sh", program], {
    encoding: "utf8",
  }).stdout.trim();
const here = HEALTH_PROGRAMS.filter((program) => which(program) !== "");

let server: Server;
let status = 200;
let port: number;

beforeAll(async () => {
  server = createServer((_, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => server.close());

/** Runs the check with only one program available; returns its exit code. */
async function check(program: string | undefined, at: number): Promise<number | null> {
  const directory = mkdtempSync(join(tmpdir(), "health-"));
  if (program !== undefined) symlinkSync(which(program), join(directory, program));
  const child = spawn("/bin/sh", [script, String(at), "/health"], {
    env: { PATH: directory, http_proxy: "http://127.0.0.1:1" },
    stdio: "ignore",
  });
  const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
  rmSync(directory, { recursive: true });
  return code;
}

describe.each(here)("the health check by %s", (program) => {
  it("ends with 0 for a good answer, and with another code for a bad one and for none", async () => {
    status = 200;
    expect(await check(program, port)).toBe(0);
    status = 503;
    expect(await check(program, port)).not.toBe(0);
    expect(await check(program, 1)).not.toBe(0);
  });
});

it("the health check fails where the image has nothing to ask with", async () => {
  status = 200;
  expect(await check(undefined, port)).not.toBe(0);
});
