import type { HostOptions } from "../options.ts";
import type { HostFile, Step } from "../step.ts";

/** Docker's own packages, and Debian's: each kind wants the other gone. */
export const dockerPackages = {
  debian: ["docker.io", "docker-cli", "containerd", "runc"],
  docker: ["docker-ce", "docker-ce-cli", "containerd.io"],
} as const;

const KEYRING = "/etc/apt/keyrings/autollm-docker.asc";
const SOURCES = "/etc/apt/sources.list.d/autollm-docker.sources";
const PIN = "/etc/apt/preferences.d/autollm-docker";

const REPOSITORY = "https://download.docker.com/linux/debian";
/** SHA-256 of the key that signs Docker's repository, fingerprint 9DC8 5822 9FC7 DD38 854A E2D8 8D81 803C 0EBF CD88. */
const KEY_SHA256 = "1500c1f56fa9e26b9b8f42452a553675796ade0807cdce11975eb98170b3a570";

function files({ docker }: HostOptions): HostFile[] {
  const out: HostFile[] = [];
  if (docker.source === "docker") {
    const lines = [
      "Types: deb",
      `URIs: ${REPOSITORY}`,
      "Suites: trixie",
      "Components: stable",
      `Signed-By: ${KEYRING}`,
    ];
    out.push({ path: SOURCES, content: `${lines.join("\n")}\n` });
  }
  if (docker.version !== undefined) {
    const names = dockerPackages[docker.source].slice(0, 2).join(" ");
    // Above 1000, so that an older version than the installed one is taken too.
    out.push({ path: PIN, content: `Package: ${names}\nPin: version ${docker.version}\nPin-Priority: 1001\n` });
  }
  return out;
}

/** Where Docker's packages come from, and which version of them. */
export function sourcesStep(options: HostOptions): Step {
  const own = options.docker.source === "docker";
  return {
    name: "sources",
    purpose: own ? "adds Docker's own repository, its key pinned" : "takes Docker from Debian's own repository",
    after: ["ssh"],
    ...(own
      ? {
          prepare: [
            "mkdir -p /etc/apt/keyrings",
            `if [ "$(sha256sum < ${KEYRING} 2>/dev/null | cut -c1-64)" != ${KEY_SHA256} ]; then`,
            `  report=$(/usr/lib/apt/apt-helper download-file ${REPOSITORY}/gpg ${KEYRING}.new SHA256:${KEY_SHA256} 2>&1) || fail "the key of Docker's repository cannot be fetched: $(echo "$report" | tail -n 1). Repair the way there, or set host.docker.source to debian"`,
            `  install -m 0644 ${KEYRING}.new ${KEYRING} && rm -f ${KEYRING}.new`,
            "fi",
          ].join("\n"),
          checks: [
            {
              fault: "the key of Docker's repository is not the pinned one",
              test: `[ "$(sha256sum < ${KEYRING} | cut -c1-64)" = ${KEY_SHA256} ]`,
            },
          ],
        }
      : {}),
    files: files(options),
    // apt's lists are of the sources that were there.
    activate: 'if [ -n "$changed" ]; then rm -f /var/lib/apt/lists/*_InRelease; fi',
  };
}
