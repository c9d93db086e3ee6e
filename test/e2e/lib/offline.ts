import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { workloadUser } from "../../../components/uids.ts";
import { docker, type TestStack } from "./stack.ts";

/** Works on JetStream's files with every right, as no user of the stack has: on a server of its own, while NATS is stopped. */
export async function offline(
  stack: TestStack,
  work: (manager: JetStreamManager, admin: NatsConnection) => Promise<void>,
): Promise<void> {
  const container = await stack.container("nats");
  const image = await docker("inspect", "--format", "{{.Image}}", container);
  const name = `${stack.name}-admin`;
  await docker("stop", container);
  try {
    await docker(
      ...["run", "--detach", "--name", name, "--user", workloadUser("nats"), "--volumes-from", container],
      ...["--publish=127.0.0.1::4222", "--entrypoint=nats-server", image, "--jetstream", "--store_dir=/data"],
    );
    const servers = (await docker("port", name, "4222/tcp")).split("\n")[0] ?? "";
    const admin = await connect({ servers, waitOnFirstConnect: true });
    await work(await jetstreamManager(admin), admin);
    await admin.close();
    await docker("stop", name);
  } finally {
    await docker("rm", "--force", name);
    await docker("start", container);
  }
}
