import { readableGroups } from "../../../components/uids.ts";
import type { StackSubject } from "../../../policies/lib/rule.ts";
import { text, UNKNOWN, type Value } from "../../../policies/lib/value.ts";
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
/** A container by its user, and the further groups that it is in. */
function running(service: string, user: Value, groupAdds: readonly string[] = []): StackSubject {
  return inStack(container({ props: { user, groupAdds }, labels: as(service) }));
}
function joining(service: string, declared: string, networks: readonly StackSubject[]): readonly StackSubject[] {
  const networksAdvanced = networks.map(({ props }) => ({ name: text(props.name) }));
  const labels = { ...as(service), "autollm.segments": declared };
  return [...networks, inStack(container({ props: { networksAdvanced }, labels }), networks)];
}

/** An executor with a file of a name, and labels. */
const trading = (file: string, labels: Readonly<Record<string, string>>): readonly StackSubject[] => [
  inStack(filesOf("execution-crypto", { [`run-secrets/env/${file}`]: secret() })),
  inStack(container({ labels: { ...as("execution-crypto"), ...labels } })),
];

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
  "container-user-own": {
    pass: {
      "a number for each": [running("redis", "70011:70011"), running("nats", "70012:70012")],
      "the log collector as root": [running("log-collector", "0:0"), running("nats", "70012:70012")],
      "the backup in the groups of those that it saves": [
        running("backup", "70080:70080", readableGroups.map(String)),
        running("grafana", "70033:70033"),
      ],
      "what only the update will know": [running("redis", UNKNOWN), running("nats", UNKNOWN)],
    },
    fail: {
      "one number for two": [running("redis", "70011:70011"), running("nats", "70011:70012")],
      "one number in two spellings": [running("redis", "70011:70011"), running("nats", "070011:70012")],
      "one group for two": [running("redis", "70011:70011"), running("nats", "70012:70011")],
      "root's group": [running("redis", "70011:0")],
      "no group": [running("redis", "70011")],
      "a neighbour's group": [running("redis", "70011:70011", ["70033"])],
      "a group of nobody that is saved, for the backup": [running("backup", "70080:70080", ["70011"])],
    },
  },
  "exchange-keys-confirmed": {
    pass: {
      "no key of an exchange": trading("redis", {}),
      "of a sandbox": trading("BINANCE_API_KEY", { "autollm.sandbox": "binance,kraken" }),
      "live, which another rule looks at": trading("BINANCE_API_KEY", { "autollm.live": "true" }),
    },
    fail: {
      "on paper": trading("BINANCE_API_KEY", {}),
      "of another's sandbox": trading("KRAKEN_API_SECRET", { "autollm.sandbox": "binance" }),
      "said to be off": trading("FREQTRADE_TOKEN", { "autollm.live": "false" }),
      "in another workload's files": [
        inStack(filesOf("reporter", { "run-secrets/env/COINBASE_API_PASSPHRASE": secret() })),
      ],
    },
  },
  "segments-needed": {
    pass: {
      "its own": joining("redis", "redis", [network("redis")]),
      "a service with a way out": joining("news-ingestor", "news-ingestor,news-ingestor-calls,egress", [
        network("news-ingestor-calls"),
        network("egress"),
      ]),
    },
    fail: {
      "declared without need": joining("redis", "redis,loki", [network("redis")]),
      "joined silently": joining("redis", "redis", [network("redis"), network("egress")]),
      "a network from elsewhere": [
        network("redis"),
        inStack(container({ props: { networksAdvanced: [{ name: "bridge" }] } })),
      ],
      "an unknown workload": joining("stranger", "redis", [network("redis")]),
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
