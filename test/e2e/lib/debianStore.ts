import { createHash } from "node:crypto";
import { baseTag } from "../../../tools/bootstrap/images/base.ts";
import { run } from "../../../tools/lib/run.ts";

/** A program of another release of Debian's, in an image of its own on the local base. */
export async function debianStore(suite: "bookworm" | "trixie" | "forky", name: string): Promise<string> {
  const from = `sed -n 's/^deb \\([^ ]*\\) trixie main$/deb \\1 ${suite} main/p' /etc/apt/sources.list >/etc/apt/sources.list.d/other.list`;
  const install = `apt-get -qq update && apt-get -qq install --yes --no-install-recommends --target-release ${suite} ${name}`;
  // A mirror may be older than its index is valid for: the packages are signed all the same.
  const dated = `echo 'Acquire::Check-Valid-Until "false";' >/etc/apt/apt.conf.d/dated`;
  const text = `FROM ${baseTag()}\nRUN set -eu; export DEBIAN_FRONTEND=noninteractive; ${suite === "trixie" ? "true" : from}; ${dated}; ${install}\n`;
  const tag = `autollm.test/${name}-${suite}:${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
  const known = await run("docker", ["image", "inspect", tag], { allowFailure: true });
  if (known.code !== 0)
    await run("docker", ["build", "--tag", tag, "-"], { input: text, env: { DOCKER_BUILDKIT: "0" } });
  return tag;
}
