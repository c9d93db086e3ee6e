import { places } from "../lib/places.ts";
import { plainSecrets } from "../lib/plainSecrets.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER, NETWORK, VOLUME } from "../lib/types.ts";

/** What `docker inspect` shows, and what the program writes into it itself. */
const SHOWN = [
  "envs",
  "command",
  "entrypoints",
  "labels",
  "healthcheck",
  "uploads",
  "logOpts",
  "storageOpts",
  "sysctls",
  "driverOpts",
  "options",
  "hosts",
  "hostname",
  "domainname",
  "user",
];

export const containerNoPlainSecret: ResourceRule = {
  name: "container-no-plain-secret",
  title: "A container's environment, command line, labels and uploads hold no secret",
  level: "mandatory",
  severity: "critical",
  why: "docker inspect shows them to everyone with access to Docker, and crash reports and child processes pass the environment on.",
  fix: "deliver it as a file: list it among the workload's credentials and mount it, or name the file in NAME_FILE",
  types: [CONTAINER, NETWORK, VOLUME],
  check(subject) {
    return places(subject)
      .filter(({ key }) =>
        SHOWN.some((shown) => key === shown || key.startsWith(`${shown}[`) || key.startsWith(`${shown}.`)),
      )
      .flatMap((place) => plainSecrets(place, "container"));
  },
};
