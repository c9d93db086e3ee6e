import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { filesDirectory } from "../../components/filesDirectory.ts";
import { loginOf } from "../../components/host/fromSettings.ts";
import { sshCommand } from "../../components/host/login.ts";
import { KILL_SWITCH_FILE, killSwitchDirectory } from "../../components/platform/killSwitch.ts";
import { nameIn } from "../../components/segments.ts";
import { assignments, quote, ROOT_SHELL } from "../../components/shell.ts";
import { lockFile, moveFolder } from "./lockPlace.ts";
import { UserError } from "./log.ts";
import { type Moving, movingIn } from "./moving.ts";
import { type Whereabouts, whereaboutsOf } from "./platformSwitch.ts";
import { run } from "./run.ts";
import { deploymentOf, stateFile } from "./state.ts";
import { isShared, localHome, openWorkspace } from "./workspace.ts";

/** What a source said, or why it said nothing. */
export type Said<T> = { readonly said: T } | { readonly silent: string };

/** A container as Docker tells it. */
export interface SeenContainer {
  readonly service: string | null;
  readonly deploy: string | null;
  readonly name: string;
  readonly status: string;
  readonly health: string | null;
  /** What its health check said last. */
  readonly checked: string | null;
  readonly image: string;
  readonly imageId: string;
  readonly restarts: number;
  /** Times as Docker writes them (RFC 3339). */
  readonly created: string;
  readonly started: string;
  readonly finished: string;
  readonly exitCode: number;
  readonly killedForMemory: boolean;
}

/** An update of the stack, as the backend keeps it. */
export interface SeenUpdate {
  readonly kind: string;
  readonly result: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly message: string;
  readonly commit: string | null;
}

export interface SeenAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly since: string;
}

/** A figure of Prometheus's. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** All that was seen of a stack. */
export interface Facts {
  readonly stack: string;
  readonly environment: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether the config wants real money. */
  readonly wantsLive: boolean;
  readonly killSwitch: Said<{ readonly on: boolean; readonly detail: string }>;
  /** The record of who is changing the stack, and seconds since the last heartbeat. */
  readonly lock: { readonly record: string; readonly age: number } | undefined;
  /** A move that is not finished. */
  readonly moving?: Moving | undefined;
  readonly containers: Said<readonly SeenContainer[]>;
  readonly alerts: Said<readonly SeenAlert[]>;
  readonly due: Said<readonly Sample[]>;
  /** The labels of alerts that somebody has silenced. */
  readonly silences: Said<readonly Readonly<Record<string, string>>[]>;
  /** What the last update declared: containers by workload, and how it trades. */
  readonly declared: Said<{ readonly containers: Readonly<Record<string, string>>; readonly trading: string }>;
  /** The newest update, if there was one. */
  readonly lastUpdate: Said<SeenUpdate | undefined>;
}

/** How long a program on the Docker host is waited for. */
const LIMIT_S = 2;
/** How long the host is waited for, its login and all of its programs included. */
const HOST_LIMIT_MS = 9_000;
/** How long the engine is waited for, which asks the backend of a shared stack. */
const ENGINE_LIMIT_MS = 4_000;

const script = readFileSync(new URL("status.sh", import.meta.url), "utf8");

/** The metrics that say what is due. */
export const DUE_METRICS = [
  "credential_rotated_timestamp_seconds",
  "credential_rotation_period_seconds",
  "backup_last_success_timestamp_seconds",
  "backup_last_restore_test_timestamp_seconds",
  "backup_recovery_kit_timestamp_seconds",
  "backup_recovery_kit_current",
  "probe_ssl_earliest_cert_expiry",
  "host_security_checked_timestamp_seconds",
  "host_security_fixes_waiting",
  "host_security_fixes_oldest_timestamp_seconds",
  "host_reboot_required",
] as const;

/** A line of `docker inspect` for each container. */
const FORMAT = `{${Object.entries({
  service: '{{json (index .Config.Labels "autollm.service")}}',
  deploy: '{{json (index .Config.Labels "autollm.deploy")}}',
  name: "{{json .Name}}",
  status: "{{json .State.Status}}",
  health: "{{with .State.Health}}{{json .Status}}{{else}}null{{end}}",
  checked:
    "{{with .State.Health}}{{with .Log}}{{json (index . (len (slice . 1))).Output}}{{else}}null{{end}}{{else}}null{{end}}",
  image: "{{json .Config.Image}}",
  imageId: "{{json .Image}}",
  restarts: "{{json .RestartCount}}",
  created: "{{json .Created}}",
  started: "{{json .State.StartedAt}}",
  finished: "{{json .State.FinishedAt}}",
  exitCode: "{{json .State.ExitCode}}",
  killedForMemory: "{{json .State.OOMKilled}}",
})
  .map(([name, template]) => `"${name}":${template}`)
  .join(",")}}`;

/** What the script answered, by source; `faults` has the ones that said nothing. */
export interface Sections {
  readonly texts: ReadonlyMap<string, string>;
  readonly faults: ReadonlyMap<string, string>;
}

export function sections(answer: string): Sections {
  const texts = new Map<string, string>();
  const faults = new Map<string, string>();
  let name = "";
  for (const line of answer.split("\n")) {
    const [, mark, source = "", rest = ""] = /^(===|!!!) (\S+) ?(.*)$/.exec(line) ?? [];
    if (mark === "===") {
      name = source;
      texts.set(name, "");
    } else if (mark === "!!!") faults.set(source, rest === "" ? "no answer" : rest);
    else if (line !== "") texts.set(name, `${texts.get(name) ?? ""}${line}\n`);
  }
  return { texts, faults };
}

/** What a source said, read from its text. */
function read<T>({ texts, faults }: Sections, source: string, parse: (text: string) => T): Said<T> {
  const text = texts.get(source);
  if (text === undefined) return { silent: faults.get(source) ?? faults.get("docker") ?? "no answer" };
  try {
    return { said: parse(text) };
  } catch {
    return { silent: "its answer cannot be read" };
  }
}

const labels = z.record(z.string(), z.string());
const containerSchema = z.object({
  service: z.string().nullable(),
  deploy: z.string().nullable(),
  name: z.string().transform((name) => name.replace(/^\//, "")),
  status: z.string(),
  health: z.string().nullable(),
  checked: z.string().nullable(),
  image: z.string(),
  imageId: z.string(),
  restarts: z.number(),
  created: z.string(),
  started: z.string(),
  finished: z.string(),
  exitCode: z.number(),
  killedForMemory: z.boolean(),
});
const alertsSchema = z.object({
  data: z.object({
    alerts: z.array(
      z.object({ labels, annotations: labels.optional(), state: z.string(), activeAt: z.string().optional() }),
    ),
  }),
});
const samplesSchema = z.object({
  data: z.object({ result: z.array(z.object({ metric: labels, value: z.tuple([z.number(), z.string()]) })) }),
});
const silencesSchema = z.array(z.object({ labels }));

/** What was seen on the Docker host. */
export type HostFacts = Pick<Facts, "killSwitch" | "lock" | "moving" | "containers" | "alerts" | "due" | "silences">;

export function hostFacts(answer: string): HostFacts {
  const all = sections(answer);
  const [held = "", record = ""] = (all.texts.get("lock") ?? "").split("\n");
  return {
    killSwitch: read(all, "switch", (text) => {
      const [state, detail = ""] = text.split("\n");
      return { on: state === "on", detail };
    }),
    lock: held.startsWith("held ") ? { record, age: Number(held.split(" ")[1]) } : undefined,
    moving: movingIn(all.texts.get("move") ?? ""),
    containers: read(all, "containers", (text) =>
      text
        .split("\n")
        // The client's own words of a container that has just gone are among the lines.
        .filter((line) => line.startsWith("{"))
        .map((line) => containerSchema.parse(JSON.parse(line))),
    ),
    alerts: read(all, "alerts", (text) =>
      alertsSchema
        .parse(JSON.parse(text))
        .data.alerts.filter(({ state }) => state === "firing")
        .map((alert) => ({
          labels: alert.labels,
          summary: alert.annotations?.summary ?? "",
          since: alert.activeAt ?? "",
        })),
    ),
    due: read(all, "due", (text) =>
      samplesSchema
        .parse(JSON.parse(text))
        .data.result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) })),
    ),
    silences: read(all, "silences", (text) => silencesSchema.parse(JSON.parse(text)).map((alert) => alert.labels)),
  };
}

/** Asks the Docker host, in one session. */
async function lookAtHost(stack: string, where: Whereabouts): Promise<HostFacts> {
  const { host, dockerHost } = where;
  const variables = {
    DOCKER: host === undefined ? dockerHost : "unix:///var/run/docker.sock",
    STACK: stack,
    SWITCH: join(killSwitchDirectory(filesDirectory(where, stack)), KILL_SWITCH_FILE),
    LOCK: lockFile(stack, where),
    MOVE: moveFolder(stack, where),
    FORMAT,
    LIMIT: String(LIMIT_S),
    PROMETHEUS: `http://${nameIn("prometheus", "prometheus")}:9090/prometheus`,
    ALERTMANAGER: "http://127.0.0.1:9093/alertmanager",
    QUERY: encodeURIComponent(`{__name__=~"${DUE_METRICS.join("|")}"}`),
  };
  const input = `main() {\n${assignments(variables)}\n${script}\n}\nmain </dev/null\n`;
  const line = host === undefined ? "exec sh -s" : `exec ${sshCommand(loginOf(host))} ${quote(ROOT_SHELL)}`;
  const { code, stdout, stderr } = await run("sh", ["-c", line], { input, allowFailure: true, limit: HOST_LIMIT_MS });
  if (code === 0) return hostFacts(stdout);
  const words = stderr.trim().split("\n").at(-1) ?? "";
  const why = code === 128 ? `no answer within ${HOST_LIMIT_MS / 1000} s` : words === "" ? `exit code ${code}` : words;
  const silent = `${host?.address ?? "this machine"}: ${why}`;
  const nothing = { silent };
  return {
    killSwitch: nothing,
    lock: undefined,
    containers: nothing,
    alerts: nothing,
    due: nothing,
    silences: nothing,
  };
}

/** What the outputs of a stack declare. */
function declaredOf(outputs: Readonly<Record<string, unknown>>): {
  containers: Record<string, string>;
  trading: string;
} {
  const { containers = {}, trading } = outputs;
  return { containers: containers as Record<string, string>, trading: String(trading ?? "paper") };
}

const updateSchema = z.object({
  kind: z.string(),
  result: z.string().optional(),
  startTime: z.union([z.string(), z.number()]),
  message: z.string().optional(),
  environment: z.record(z.string(), z.string()).optional(),
});

/** An update as the backend's file has it (seconds), or as the engine tells it (ISO 8601). */
export function updateOf(value: unknown): SeenUpdate {
  const { kind, result = "in-progress", startTime, message = "", environment = {} } = updateSchema.parse(value);
  const at = typeof startTime === "number" ? startTime * 1000 : Date.parse(startTime);
  return { kind, result, at, message, commit: environment["git.head"] ?? null };
}

/** What kinds of updates put a program onto a stack. */
const isDeployment = ({ kind }: SeenUpdate) => kind === "update";

/** The newest deployment that the folder of a local stack's history has. */
function newestIn(folder: string): SeenUpdate | undefined {
  if (!existsSync(folder)) return undefined;
  const files = readdirSync(folder).filter((name) => name.endsWith(".history.json"));
  for (const file of files.toSorted().toReversed()) {
    const update = updateOf(JSON.parse(readFileSync(join(folder, file), "utf8")));
    if (isDeployment(update)) return update;
  }
  return undefined;
}

type StateFacts = Pick<Facts, "declared" | "lastUpdate">;

/** What `work` answers, or why not. */
async function said<T>(work: () => Promise<T> | T): Promise<Said<T>> {
  try {
    return { said: await work() };
  } catch (error) {
    const [line = ""] = (error instanceof Error ? error.message : String(error)).trim().split("\n").slice(-1);
    return { silent: line };
  }
}

/** Reads a local stack's state and history from its folder: no engine is needed. */
async function lookAtFolder(stack: string): Promise<StateFacts> {
  const cwd = localHome();
  const pulumi = () => Promise.reject(new UserError("the state's file has an unknown format"));
  const declared = await said(async () => {
    if (!existsSync(stateFile({ cwd, stack }))) throw new UserError(`there is no state: ${stateFile({ cwd, stack })}`);
    const { resources = [] } = await deploymentOf({ local: true, cwd, stack, pulumi });
    return declaredOf(resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs ?? {});
  });
  const history = join(cwd, "state", ".pulumi", "history", "autollm", stack);
  return { declared, lastUpdate: await said(() => newestIn(history)) };
}

/** Asks the backend of a shared stack, through the engine. */
async function lookAtBackend(stack: string): Promise<StateFacts> {
  try {
    const workspace = await openWorkspace(stack, { build: false });
    const ask = async (...args: readonly string[]): Promise<unknown> => {
      const options = { limit: ENGINE_LIMIT_MS, allowFailure: true };
      const { code, stdout, stderr } = await workspace.pulumi([...args, "--stack", stack, "--json"], options);
      if (code === 128) throw new UserError(`no answer within ${ENGINE_LIMIT_MS / 1000} s`);
      if (code !== 0) throw new UserError(stderr.trim());
      return JSON.parse(stdout);
    };
    const [declared, lastUpdate] = await Promise.all([
      said(async () => declaredOf((await ask("stack", "output")) as Record<string, unknown>)),
      said(async () => {
        const updates = (await ask("stack", "history", "--page-size", "10")) as unknown[];
        return updates.map(updateOf).find(isDeployment);
      }),
    ]);
    return { declared, lastUpdate };
  } catch (error) {
    const silent = error instanceof Error ? error.message : String(error);
    return { declared: { silent }, lastUpdate: { silent } };
  }
}

/**
 * Looks at a stack: at its host and at its state at the same time, and waits for nobody long.
 * @throws UserError when the stack has no file, or it does not say where the stack runs
 */
export async function factsOf(stack: string): Promise<Facts> {
  const where = await whereaboutsOf(stack);
  const [host, state] = await Promise.all([
    lookAtHost(stack, where),
    isShared(stack) ? lookAtBackend(stack) : lookAtFolder(stack),
  ]);
  return { stack, environment: where.environment, now: Date.now(), wantsLive: where.live, ...host, ...state };
}
