import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../tools/lib/workspace.ts";

test("the pack starts as Pulumi starts it, and answers on a port", async () => {
  const loader = join(root, "node_modules", "@pulumi", "pulumi", "cmd", "run-policy-pack");
  const pack = spawn(process.execPath, [loader, "127.0.0.1:1", join(root, "policies")], {
    // The folder from which the engine starts it.
    cwd: join(root, "policies"),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  pack.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  try {
    const ended = once(pack, "exit").then(() => ["it ended"]);
    const [first] = (await Promise.race([once(pack.stdout, "data"), ended])) as [unknown];
    expect(String(first), said).toMatch(/^\d+\s*$/);
  } finally {
    pack.kill("SIGKILL");
  }
});
