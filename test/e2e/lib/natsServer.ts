import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { type NatsUser, natsUsers } from "../../../components/data/nats.ts";
import { ensureDocker } from "../../../tools/bootstrap/docker/docker.ts";
import { imagesHere } from "./images.ts";
import { docker } from "./stack.ts";

/** A NATS server with JetStream alone, with the platform's form of users. */
export interface NatsServer {
  readonly connect: (user: string) => Promise<NatsConnection>;
  readonly stop: () => Promise<void>;
}

/** Starts a server; a user's password is made up, and its inbox is the one that it may subscribe to. */
export async function startNats(users: readonly Pick<NatsUser, "user" | "permissions">[]): Promise<NatsServer> {
  await ensureDocker({ install: process.env.CI === "true" });
  const { nats } = await imagesHere(["nats"]);
  const name = `autollm-nats-${randomBytes(4).toString("hex")}`;
  const directory = mkdtempSync(join(tmpdir(), `${name}-`));
  const known = users.map((user) => ({ ...user, password: randomBytes(24).toString("hex") }));
  const config = `listen: "0.0.0.0:4222"\njetstream: {"store_dir": "/tmp/data", "max_file_store": 2147483648}\n${natsUsers(known)}`;
  writeFileSync(join(directory, "nats.conf"), config);
  for (const [path, mode] of [["", 0o755] as const, ["nats.conf", 0o644] as const])
    chmodSync(join(directory, path), mode);
  await docker(
    ...[
      "run",
      "--detach",
      "--name",
      name,
      "--user=70990:70990",
      "--cap-drop=ALL",
      "--read-only",
      "--tmpfs=/tmp:mode=1777",
    ],
    ...["--publish=127.0.0.1::4222", `--volume=${directory}:/etc/trial:ro`, "--entrypoint=nats-server", nats],
    ...["--config", "/etc/trial/nats.conf"],
  );
  const servers = (await docker("port", name, "4222/tcp")).split("\n")[0] ?? "";
  return {
    connect: (user) => {
      const { password = "", permissions } = known.find((each) => each.user === user) ?? {};
      const inbox = permissions?.subscribe.find((subject) => subject.startsWith("_INBOX_"));
      return connect({
        ...{ servers, user, pass: password, waitOnFirstConnect: true },
        ...(inbox === undefined ? {} : { inboxPrefix: inbox.replace(/\.>$/, "") }),
      });
    },
    stop: async () => {
      await docker("rm", "--force", name);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
