import { expect, test } from "vitest";
import { type Machine, plan } from "../../../tools/bootstrap/docker/docker.ts";

const bare: Machine = {
  debian: true,
  root: true,
  systemd: false,
  daemonInstalled: false,
  clientInstalled: false,
  dockerHost: undefined,
};
const installed = { daemonInstalled: true, clientInstalled: true };

test.each<[string, Partial<Machine>, boolean, object]>([
  ["Debian, root, allowed to install", {}, true, { install: true, start: "by hand" }],
  ["Debian with systemd", { systemd: true }, true, { install: true, start: "systemd" }],
  ["a client without a daemon", { clientInstalled: true }, true, { install: true, start: "by hand" }],
  ["installed and stopped", installed, false, { install: false, start: "by hand" }],
  ["installed and stopped, with systemd", { ...installed, systemd: true }, false, { install: false, start: "systemd" }],
])("%s: Docker is brought up", (_, machine, install, expected) => {
  expect(plan({ ...bare, ...machine }, install)).toEqual(expected);
});

test.each<[string, Partial<Machine>, boolean, RegExp]>([
  ["not allowed to install", {}, false, /--install.*apt-get install/],
  ["not root", { root: false }, true, /sudo apt-get install --yes docker.io/],
  ["not Debian", { debian: false }, true, /install Docker Engine/],
  ["stopped, and not root", { ...installed, root: false }, true, /systemctl start docker/],
  ["a daemon elsewhere", { dockerHost: "tcp://example:2376" }, true, /DOCKER_HOST=tcp:\/\/example:2376/],
])("%s: the user is told what to run", (_, machine, install, message) => {
  expect(plan({ ...bare, ...machine }, install)).toEqual({ refused: expect.stringMatching(message) });
});
