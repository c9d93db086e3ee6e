import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { vi } from "vitest";
import { partImageNames } from "../../../components/images.ts";
import { type Recording, type RunOptions, record } from "./mocks.ts";
import { randomText } from "./values.ts";

// A run takes half a second of CPU: much longer on a machine that does other work as well.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const localImages = Object.fromEntries(partImageNames.map((name) => [name, `autollm.local/${name}:0123456789abcdef`]));

/** The config of a local stack, as `./autollm up` completes it on a machine without a registry. */
export const localConfig: Readonly<Record<string, string>> = {
  environment: "local",
  imageSource: "local",
  localImages: JSON.stringify(localImages),
};

/** The setting of a host that the program sets up, with a key pair made for the test. The folder is the caller's to remove. */
export function hostSetting(folder: string): string {
  const privateKeyPath = join(folder, "key");
  const { status, stderr } = spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", privateKeyPath]);
  if (status !== 0) throw new Error(`ssh-keygen: ${stderr}`);
  return JSON.stringify({ address: "192.0.2.7", hostKey: "ssh-ed25519 AAAA", privateKeyPath });
}

/** Runs the whole program, afresh each time: its modules too, since index.ts does its work when it is imported. */
export async function runPlatform({ config = localConfig, ...options }: RunOptions = {}): Promise<Recording> {
  vi.resetModules();
  return record(async () => ({ ...(await import("../../../index.ts")) }), { config, ...options });
}

/** A production stack with all that can be set up: every workload in every segment that it may ever join. */
export async function runProduction(more: Readonly<Record<string, string>> = {}): Promise<Recording> {
  const digest = `sha256:${"ab".repeat(32)}`;
  // Imported late, as by the program: a test may have put another catalogue in its place.
  const { serviceNames: names } = await import("../../../components/platform/catalogue.ts");
  const supplied = ["tws-userid", "tws-password", "slack-webhook", "s3-access-key", "s3-secret-key"];
  return runPlatform({
    stack: "production",
    secretKeys: supplied,
    config: {
      environment: "production",
      domain: "trader.example.com",
      bindAddress: "0.0.0.0",
      httpPort: "80",
      httpsPort: "443",
      release: JSON.stringify(
        Object.fromEntries(names.map((name) => [name, { image: `r.example/${name}@${digest}` }])),
      ),
      edge: JSON.stringify({ image: `r.example/edge-sockets@${digest}` }),
      backup: JSON.stringify({ image: `r.example/backup@${digest}`, s3: "s3:https://s3.example.com/backups" }),
      ...Object.fromEntries(supplied.map((name) => [name, randomText(24)])),
      ...more,
    },
  });
}
