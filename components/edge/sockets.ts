import * as pulumi from "@pulumi/pulumi";
import { EDGE_PORTS } from "../parts.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { shell, type Target } from "../runtime/target.ts";
import { StatefulVolume, type VolumeMount } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import type { Claim } from "../runtime/workloadSpec.ts";
import { nameIn } from "../segments.ts";
import { quote } from "../shell.ts";

interface Socket {
  readonly network: "tcp" | "udp";
  readonly port: number;
  /** The only name at which it listens; without one, it listens on all addresses of the container. */
  readonly host?: string;
  /** The HTTP versions on it, as Caddy names them. */
  readonly protocols: readonly string[];
}

/** Where the edge's own metrics are served, in the segment `caddy` alone. */
const METRICS: Socket = {
  network: "tcp",
  port: EDGE_PORTS.metrics,
  host: nameIn("edge-sockets", "caddy"),
  protocols: ["h1"],
};

/** The sockets that a Caddy is given, in this order, from descriptor 3 on. */
export const sockets = {
  http: { network: "tcp", port: EDGE_PORTS.http, protocols: ["h1"] },
  https: { network: "tcp", port: EDGE_PORTS.https, protocols: ["h1", "h2"] },
  quic: { network: "udp", port: EDGE_PORTS.https, protocols: ["h3"] },
  metrics: METRICS,
} as const satisfies Readonly<Record<string, Socket>>;

type SocketName = keyof typeof sockets;

/** The edge's address inside, for probes. */
export const EDGE_INSIDE = `https://edge-sockets:${sockets.https.port}`;

/** After standard input, output and error. */
const FIRST_DESCRIPTOR = 3;
const names = Object.keys(sockets) as readonly SocketName[];

/** Caddy's directives for listening on sockets that it was given. */
export const bindTo = (...wanted: readonly SocketName[]): string[] =>
  wanted.flatMap((name) => [
    `bind ${sockets[name].network === "udp" ? "fdgram" : "fd"}/${FIRST_DESCRIPTOR + names.indexOf(name)} {`,
    `\tprotocols ${sockets[name].protocols.join(" ")}`,
    "}",
  ]);

/** Where both find the sockets; in the image, the program's own path. */
const DIRECTORY = "/run/edge";
const PROGRAM = "/edge-sockets";

/** A command line that is given the sockets, in a container that mounts the volume: see services/edge-sockets. */
export const withSockets = (command: readonly string[]): readonly string[] => [
  `${DIRECTORY}${PROGRAM}`,
  "run",
  DIRECTORY,
  ...command,
];

export interface EdgeSocketsArgs extends PartArgs {
  readonly bindAddress: string;
  readonly httpPort: number;
  readonly httpsPort: number;
}

/** Stops a Caddy that publishes ports itself, as it did before the sockets had a container of their own: no other container could have them. */
export function formerScript(dockerSocket: string, stack: string): string {
  return [
    "set -eu",
    `docker() { command docker --host ${quote(dockerSocket)} "$@"; }`,
    `for id in $(docker ps --quiet --filter ${quote(`label=autollm.stack=${stack}`)} --filter label=autollm.service=caddy); do`,
    '  [ -z "$(docker port "$id")" ] || docker stop "$id" >/dev/null',
    "done",
  ].join("\n");
}

const claim =
  (target: Target): Claim =>
  (digest, opts) => {
    const create = formerScript(target.dockerSocket, target.labels["autollm.stack"] ?? "");
    return { environment: {}, claimed: shell("edge-sockets-former", target, { create, triggers: [digest] }, opts) };
  };

/**
 * Holds the sockets of the published ports, and hands them to one Caddy after another. It reads nothing that a client sends, and is
 * replaced, with a gap of some seconds, only for another image of its own, other ports or another address.
 */
export class EdgeSockets extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** The mounts of a container that takes the sockets. */
  readonly mount: VolumeMount;

  constructor(name: string, args: EdgeSocketsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:edge:EdgeSockets", name, {}, opts);
    const { target, bindAddress, httpPort, httpsPort } = args;
    const volume = new StatefulVolume("edge-sockets", { target }, { parent: this });
    const list: readonly Socket[] = Object.values(sockets);
    this.workload = runPart(
      "edge-sockets",
      args,
      {
        command: [
          PROGRAM,
          "hold",
          DIRECTORY,
          ...list.map(({ network, port, host = "" }) => `${network}:${host}:${port}`),
        ],
        deploy: "recreate",
        claim: claim(target),
        health: [PROGRAM, "healthy", DIRECTORY],
        memory: 32,
        volumes: [volume.at(DIRECTORY)],
        ports: [
          { internal: sockets.http.port, external: httpPort, address: bindAddress },
          { internal: sockets.https.port, external: httpsPort, address: bindAddress },
          { internal: sockets.quic.port, external: httpsPort, address: bindAddress, protocol: "udp" },
        ],
      },
      { parent: this },
    );
    this.mount = volume.readAt(DIRECTORY);
    this.registerOutputs({});
  }
}
