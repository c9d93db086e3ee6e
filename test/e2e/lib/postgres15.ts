import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootstrapInto } from "../../../tools/bootstrap/images/base.ts";
import { run } from "../../../tools/lib/run.ts";

const TAG = "autollm.test/postgres15:1";
/** The Debian whose Postgres is of version 15. */
const SUITE = "bookworm";
const PROGRAMS = "/usr/lib/postgresql/15/bin";

/** The entry point of the image on Docker Hub, as far as the old installation used it. */
const START = `#!/bin/sh
set -eu
if [ ! -s /var/lib/postgresql/data/PG_VERSION ]; then
  printf %s "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 --encoding=UTF8 /var/lib/postgresql/data >/dev/null
  rm /tmp/password
  echo "host all all all scram-sha-256" >> /var/lib/postgresql/data/pg_hba.conf
  echo "CREATE DATABASE \\"$POSTGRES_DB\\"" | postgres --single -D /var/lib/postgresql/data postgres >/dev/null
fi
exec postgres -D /var/lib/postgresql/data -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql`;

/** An image of Postgres 15 that starts as the one on Docker Hub does; answers its tag. */
export async function postgres15(): Promise<string> {
  if ((await run("docker", ["image", "inspect", TAG], { allowFailure: true })).code === 0) return TAG;
  const folder = mkdtempSync(join(tmpdir(), "autollm-postgres15-"));
  try {
    const root = join(folder, "root");
    await run("mkdir", [root]);
    await bootstrapInto(root, ["ca-certificates"], SUITE);
    await run("sh", ["-euc", `tar -C ${root} --one-file-system -c . | docker import - ${TAG}-base`]);
    const lines = [
      `FROM ${TAG}-base`,
      "RUN apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends install postgresql-15 >/dev/null && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/15",
      `ENV PATH=${PROGRAMS}:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8`,
      `RUN printf %s '${Buffer.from(START).toString("base64")}' | base64 -d >/usr/local/bin/start && chmod 755 /usr/local/bin/start`,
      "RUN mkdir -p /var/lib/postgresql/data && chown postgres:postgres /var/lib/postgresql/data && chmod 700 /var/lib/postgresql/data",
      "USER postgres",
      "VOLUME /var/lib/postgresql/data",
      'ENTRYPOINT ["/usr/local/bin/start"]',
    ];
    await run("docker", ["build", "--quiet", "--network", "host", "--tag", TAG, "-"], {
      input: `${lines.join("\n")}\n`,
      env: { DOCKER_BUILDKIT: "0" },
    });
    return TAG;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
