import type { StackSubject } from "../../../policies/lib/rule.ts";
import { text, UNKNOWN } from "../../../policies/lib/value.ts";
import { command, container, filesOf, inStack, network, password, secret } from "../fixtures.ts";
import type { RuleCases } from "./types.ts";

const as = (service: string) => ({ "autollm.service": service });
const bind = (source: string, readOnly = true) => ({ mounts: [{ type: "bind", source, target: "/mnt", readOnly }] });
const daysAgo = (days: number) => Math.floor(Date.now() / 1000) - days * 86_400;
const rotated = (days: number, environment: string) => [
  inStack({ ...command({ stdout: `redis 1 90 ${daysAgo(1)}\njwt 3 90 ${daysAgo(days)}` }), name: "credential-ages" }),
  inStack(container({ labels: { "autollm.environment": environment } })),
];
const redisPassword = secret();
const jwt = secret();
/** A container, its files and the generated credentials, as the engine shows them after an update. */
function mounted(
  service: string,
  files: Readonly<Record<string, string>>,
  credentials: string,
): readonly StackSubject[] {
  const source = `/var/lib/autollm/files/${service}-files-${"0a".repeat(8)}/run-secrets`;
  return [
    password("redis-backup", redisPassword),
    password("jwt", jwt),
    inStack(filesOf(service, files)),
    inStack(container({ props: bind(source), labels: { ...as(service), "autollm.credentials": credentials } })),
  ];
}
function joining(service: string, declared: string, networks: readonly StackSubject[]): readonly StackSubject[] {
  const networksAdvanced = networks.map(({ props }) => ({ name: text(props.name) }));
  const labels = { ...as(service), "autollm.segments": declared };
  return [...networks, inStack(container({ props: { networksAdvanced }, labels }), networks)];
}

/** The command that limits redis's processes. */
function processes(limit: string | typeof UNKNOWN): StackSubject {
  const create = limit === UNKNOWN ? UNKNOWN : `docker --host 'unix:///s' update --pids-limit ${limit} 1a2b >/dev/null`;
  return inStack({ ...command({ create }), name: "redis-processes" });
}

/** The stack as a whole. */
export const stackCases: Readonly<Record<string, RuleCases>> = {
  "credential-grants": {
    pass: {
      "its own": mounted("redis", { "run-secrets/redis-backup": redisPassword }, "redis-backup"),
      "not known yet": [inStack(container({ props: { mounts: UNKNOWN } }))],
    },
    fail: {
      "a label without a grant": [inStack(container({ labels: { "autollm.credentials": "redis-backup,jwt" } }))],
      "another's value under its own name": mounted("redis", { "run-secrets/redis-backup": jwt }, "redis-backup"),
      "another's value inside a config file": mounted(
        "redis",
        { "etc/redis.conf": `masterauth ${jwt}\n` },
        "redis-backup",
      ),
      "a file that no label names": mounted("redis", { "run-secrets/redis-backup": redisPassword }, ""),
      "another workload's live directory": [inStack(container({ props: bind("/srv/files/caddy-files-live") }))],
      "another workload's directory": [
        inStack(container({ props: bind(`/srv/files/caddy-files-${"0a".repeat(8)}/run-secrets`) })),
      ],
    },
  },
  "container-processes-limited": {
    pass: {
      "a limit": [inStack(container()), processes("256")],
      "an unknown container": [inStack(container()), processes(UNKNOWN)],
    },
    fail: {
      "no command": [inStack(container())],
      "another's limit": [inStack(container({ labels: as("nats") })), processes("256")],
      "no limit in it": [inStack(container()), processes("0")],
      "without end": [inStack(container()), processes("-1")],
      "far too many": [inStack(container()), processes("100000")],
    },
  },
  "segments-needed": {
    pass: {
      "its own": joining("redis", "data", [network("data")]),
      "a service with a way out": joining("news-ingestor", "apps,observability,egress", [
        network("apps"),
        network("egress"),
      ]),
    },
    fail: {
      "declared without need": joining("redis", "data,edge", [network("data")]),
      "joined without a word": joining("redis", "data", [network("data"), network("egress")]),
      "a network from elsewhere": [
        network("data"),
        inStack(container({ props: { networksAdvanced: [{ name: "bridge" }] } })),
      ],
      "an unknown workload": joining("stranger", "data", [network("data")]),
    },
  },
  "rotation-overdue": {
    pass: { "in time": rotated(80, "production"), "late in staging": rotated(100, "staging") },
    fail: { "late in production": rotated(100, "production") },
  },
  "rotation-due": {
    pass: {
      "in time": rotated(80, "staging"),
      "late in production, which the other rule refuses": rotated(100, "production"),
    },
    fail: { "late in staging": rotated(100, "staging"), "late on this machine": rotated(100, "local") },
  },
};
