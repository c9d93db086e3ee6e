import { commandLine } from "../../components/configCommand.ts";
import { MAX_BACKUP_AGE, MAX_RESTORE_TEST_AGE } from "../../components/observability/alerts/data.ts";
import { MAX_WAIT } from "../../components/observability/alerts/fixes.ts";
import { MIN_CERTIFICATE_LIFE, MIN_INTERNAL_CERTIFICATE_LIFE } from "../../components/observability/alerts/security.ts";
import { executors } from "../../components/platform/catalogue.ts";
import { makerOf } from "./history.ts";
import { moveNotice } from "./moving.ts";
import { parseRecord } from "./stackLock.ts";
import type { DUE_METRICS, Facts, Said, Sample, SeenContainer } from "./statusFacts.ts";

/** Something that is wrong. */
export interface Problem {
  /** A workload, an alert, or the part of the platform that it is about. */
  readonly what: string;
  readonly says: string;
}

/** Something that has to be done by a time. */
export interface Due {
  readonly what: "rotation" | "backup" | "restore test" | "recovery kit" | "certificate" | "security fixes" | "reboot";
  /** Until when (ISO 8601); null where nothing is to be done yet. */
  readonly at: string | null;
  readonly overdue: boolean;
  readonly says: string;
}

/** A workload's container, or one that is missing. */
export interface WorkloadStatus {
  readonly name: string;
  readonly container: string;
  /** As Docker calls it, or `missing`. */
  readonly state: string;
  readonly health: string | null;
  readonly image: string | null;
  /** The image's digest by which it was named, or the id of one that was built here. */
  readonly digest: string | null;
  /** Since when it runs, or does not (ISO 8601). */
  readonly since: string | null;
  readonly restarts: number;
  /** Why it is not as it should be; null where it is. */
  readonly problem: string | null;
  /** Why it is well though it does not run, or not healthy yet. */
  readonly note: string | null;
}

/** An alert that fires. */
export interface AlertStatus {
  readonly name: string;
  readonly severity: string;
  readonly service: string;
  readonly summary: string;
  readonly since: string;
  readonly silenced: boolean;
}

/** What `status --json` prints: keys are added, none is removed or changes its meaning. What could not be seen is null. */
export interface Status {
  readonly stack: string;
  readonly environment: string;
  readonly at: string;
  /** `unknown`: nothing wrong was seen, and not all could be. */
  readonly verdict: "fine" | "wrong" | "unknown";
  readonly trading: "paper" | "live";
  readonly killSwitch: {
    readonly on: boolean;
    readonly reason: string | null;
    readonly by: string | null;
    readonly at: string | null;
  } | null;
  readonly deployment: {
    readonly at: string;
    readonly result: string;
    readonly by: string | null;
    readonly commit: string | null;
  } | null;
  /** Who is changing the stack now. */
  readonly changing: {
    readonly who: string;
    readonly from: string;
    readonly command: string;
    readonly since: string;
  } | null;
  readonly problems: readonly Problem[];
  readonly due: readonly Due[] | null;
  readonly alerts: readonly AlertStatus[] | null;
  readonly workloads: readonly WorkloadStatus[] | null;
  /** The sources that said nothing, and why. */
  readonly silent: readonly { readonly source: string; readonly says: string }[];
}

const SECOND = 1000;
const iso = (ms: number) => new Date(ms).toISOString();

/** A time in words that a tired reader takes in at once: its two largest units would be more than needed. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / SECOND));
  const [units, size] =
    seconds < 120 ? ["s", 1] : seconds < 7200 ? ["min", 60] : seconds < 172_800 ? ["h", 3600] : ["d", 86_400];
  return `${Math.floor(seconds / Number(size))} ${units}`;
}

const told = <T>(source: Said<T>): T | undefined => ("said" in source ? source.said : undefined);

/** A line of somebody else's text, for a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const plain = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();

/** What is wrong with a container, in words; undefined where nothing is. */
function faultOf(seen: SeenContainer, now: number): string | undefined {
  const { status, health, checked, exitCode, killedForMemory, started, finished } = seen;
  const ago = (time: string) => `${span(now - Date.parse(time))} ago`;
  if (status === "running") {
    if (health !== "unhealthy") return undefined;
    const words = plain(checked ?? "").slice(0, 100);
    return `unhealthy${words === "" ? "" : `: ${words}`}`;
  }
  if (status === "exited" || status === "dead")
    return `${status === "dead" ? "dead" : "stopped"} ${ago(finished)}, exit code ${exitCode}${killedForMemory ? ", killed for memory" : ""}`;
  if (status === "restarting")
    return `starts again and again, exit code ${exitCode}${killedForMemory ? ", killed for memory" : ""}`;
  if (status === "created") return `was never started`;
  return `${status} since ${ago(started)}`;
}

/** Why a container that does not run, or is not healthy yet, is as it should be. */
function noteOf(seen: SeenContainer, declared: string | undefined, switchOn: boolean): string | undefined {
  if (seen.deploy === "on-demand" && seen.status !== "running") return "started by hand";
  if (declared !== undefined && declared !== seen.name) return "the former one";
  if (switchOn && seen.status === "exited" && executors.some((each) => each === seen.service)) return "kill switch";
  return seen.status === "running" && seen.health === "starting" ? "starting" : undefined;
}

function workloadOf(
  seen: SeenContainer,
  declared: Readonly<Record<string, string>>,
  now: number,
  switchOn: boolean,
): WorkloadStatus {
  const name = seen.service ?? seen.name;
  const note = noteOf(seen, declared[name], switchOn) ?? null;
  const problem = note === null ? (faultOf(seen, now) ?? null) : null;
  const { status: state, health, image, imageId, restarts } = seen;
  const digest = (/@sha256:([0-9a-f]{64})$/.exec(image)?.[1] ?? imageId.replace(/^sha256:/, "")) || null;
  const since =
    state === "running" || state === "paused" ? seen.started : state === "created" ? seen.created : seen.finished;
  return { name, container: seen.name, state, health, image, digest, since, restarts, problem, note };
}

/** Every workload: those of which there is a container, and those that were declared and have none. */
function workloadsOf(facts: Facts, switchOn: boolean): WorkloadStatus[] | null {
  const containers = told(facts.containers);
  if (containers === undefined) return null;
  const declared = told(facts.declared)?.containers ?? {};
  const there = containers.map((seen) => workloadOf(seen, declared, facts.now, switchOn));
  const missing = Object.entries(declared)
    .filter(([, container]) => !there.some((each) => each.container === container))
    .map(([name, container]) => ({
      ...{ name, container, state: "missing", health: null, image: null, digest: null, since: null, restarts: 0 },
      problem: `has no container; ${commandLine(facts.stack, "up")} makes one`,
      note: null,
    }));
  return [...there, ...missing].toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

/** Whether a silenced alert is this one: Alertmanager adds labels of its own. */
const isSame = (silenced: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>) =>
  Object.entries(labels).every(([name, value]) => silenced[name] === value);

const SEVERITIES = ["critical", "warning"];

function alertsOf({ alerts, silences }: Facts): AlertStatus[] | null {
  const firing = told(alerts);
  if (firing === undefined) return null;
  const rank = (severity: string) => (SEVERITIES.indexOf(severity) + SEVERITIES.length + 1) % (SEVERITIES.length + 1);
  return (
    firing
      // A heartbeat, and the reminder that something is silenced, are no alarms.
      .filter(({ labels: { severity } }) => severity !== "none")
      .map(({ labels, summary, since }) => ({
        name: labels.alertname ?? "",
        severity: labels.severity ?? "",
        service: labels.service ?? "",
        summary: plain(summary),
        since,
        silenced: (told(silences) ?? []).some((each) => isSame(each, labels)),
      }))
      .toSorted((one, other) => rank(one.severity) - rank(other.severity) || (one.name < other.name ? -1 : 1))
  );
}

/** What is due at a time, in seconds since 1970. */
function dueAt(what: Due["what"], seconds: number, now: number, says: (left: string) => string): Due {
  const left = seconds * SECOND - now;
  return {
    what,
    at: iso(seconds * SECOND),
    overdue: left < 0,
    says: says(left < 0 ? `${span(-left)} ago` : `in ${span(left)}`),
  };
}

/** What is due, by the figures from which the alerts are judged. */
function dueOf({ due, now }: Facts): Due[] | null {
  const samples = told(due);
  if (samples === undefined) return null;
  const of = (metric: (typeof DUE_METRICS)[number]): readonly Sample[] =>
    samples.filter(({ labels }) => labels.__name__ === metric);
  const newest = (metric: (typeof DUE_METRICS)[number]) => {
    const values = of(metric).map(({ value }) => value);
    return values.length === 0 ? undefined : Math.max(...values);
  };
  const ago = (seconds: number) => `${span(now - seconds * SECOND)} ago`;

  const rotations = of("credential_rotated_timestamp_seconds")
    .flatMap(({ labels: { name }, value }) => {
      const period = of("credential_rotation_period_seconds").find(({ labels }) => labels.name === name);
      return period === undefined ? [] : [{ name: name ?? "", at: value + period.value }];
    })
    .toSorted((one, other) => one.at - other.at);
  const [next] = rotations;
  const late = rotations.filter(({ at }) => at * SECOND < now).map(({ name }) => name);
  const rotation =
    next === undefined
      ? []
      : [
          dueAt("rotation", next.at, now, (when) =>
            late.length > 0 ? `${late.join(", ")}: the first was due ${when}` : `${next.name} ${when}`,
          ),
        ];

  const saved = newest("backup_last_success_timestamp_seconds");
  const backup: Due[] =
    saved === undefined
      ? [{ what: "backup", at: null, overdue: false, says: "none is known yet; one is made soon after the start" }]
      : [dueAt("backup", saved + MAX_BACKUP_AGE, now, () => `the last good one is of ${ago(saved)}`)];
  const tested = newest("backup_last_restore_test_timestamp_seconds");
  const restoreTest =
    tested === undefined
      ? []
      : [dueAt("restore test", tested + MAX_RESTORE_TEST_AGE, now, () => `the last good one is of ${ago(tested)}`)];

  const kitMade = newest("backup_recovery_kit_timestamp_seconds");
  const kitCurrent = newest("backup_recovery_kit_current");
  const kit: Due[] =
    kitCurrent === undefined
      ? []
      : [
          {
            what: "recovery kit",
            at: null,
            overdue: kitCurrent === 0,
            says:
              kitMade === undefined
                ? "none was made"
                : `made ${ago(kitMade)}${kitCurrent === 0 ? ", with another key of the backups than the present one" : ""}`,
          },
        ];

  const certificates = of("probe_ssl_earliest_cert_expiry")
    // The probes of the routes see one as well, and know not whose it is; 0: there was none.
    .filter(({ labels: { certificate }, value }) => certificate !== undefined && value > 0)
    .map(({ labels, value }) => ({
      domain: labels.domain ?? "",
      renewal: labels.certificate === "supplied" ? "supply another one" : "Caddy renews it",
      ends: value,
      renewed: value - (labels.certificate === "internal" ? MIN_INTERNAL_CERTIFICATE_LIFE : MIN_CERTIFICATE_LIFE),
    }))
    .toSorted((one, other) => one.renewed - other.renewed)
    .slice(0, 1)
    .map(({ domain, renewal, ends, renewed }) =>
      dueAt("certificate", renewed, now, () =>
        ends * SECOND < now
          ? `${domain} ended ${ago(ends)}; ${renewal}`
          : `${domain} ends in ${span(ends * SECOND - now)}; ${renewal}`,
      ),
    );

  const waiting = of("host_security_fixes_waiting").reduce((sum, { value }) => sum + value, 0);
  const oldest = of("host_security_fixes_oldest_timestamp_seconds").map(({ value }) => value);
  const checked = newest("host_security_checked_timestamp_seconds");
  const fixes: Due[] =
    checked === undefined
      ? []
      : oldest.length === 0
        ? [{ what: "security fixes", at: null, overdue: false, says: `none waits; looked ${ago(checked)}` }]
        : [
            dueAt(
              "security fixes",
              Math.min(...oldest) + MAX_WAIT,
              now,
              () => `${waiting} wait, the oldest since ${span(now - Math.min(...oldest) * SECOND)}`,
            ),
          ];
  const reboot: Due[] = of("host_reboot_required").some(({ value }) => value === 1)
    ? [{ what: "reboot", at: null, overdue: true, says: "an installed fix takes effect only by a reboot" }]
    : [];
  return [...rotation, ...backup, ...restoreTest, ...kit, ...certificates, ...fixes, ...reboot];
}

function killSwitchOf({ killSwitch }: Facts): Status["killSwitch"] {
  const seen = told(killSwitch);
  if (seen === undefined) return null;
  let detail: Readonly<Record<string, unknown>> = {};
  try {
    detail = JSON.parse(seen.detail) as Readonly<Record<string, unknown>>;
  } catch {
    // Any file of that name sets the switch.
  }
  const text = (key: string) => (typeof detail[key] === "string" ? plain(detail[key]) : null);
  return { on: seen.on, reason: text("reason"), by: text("by"), at: text("at") };
}

function deploymentOf({ lastUpdate }: Facts): Status["deployment"] {
  const update = told(lastUpdate);
  if (update === undefined) return null;
  const { at, result, message, commit } = update;
  return { at: iso(at), result, by: makerOf(plain(message)) ?? null, commit };
}

function changingOf({ lock }: Facts): Status["changing"] {
  if (lock === undefined) return null;
  const record = parseRecord(lock.record);
  if (record === undefined) return { who: "somebody", from: "?", command: "?", since: "?" };
  const { who, from, command, since } = record;
  return { who, from, command, since };
}

/** The sources, in the order in which their silence is told. */
const SOURCES = {
  containers: "Docker",
  killSwitch: "kill switch",
  alerts: "alerts (Prometheus)",
  due: "what is due (Prometheus)",
  silences: "silences (Alertmanager)",
  declared: "state",
  lastUpdate: "history",
} as const;

/** What the facts mean. */
export function statusOf(facts: Facts): Status {
  const killSwitch = killSwitchOf(facts);
  const workloads = workloadsOf(facts, killSwitch?.on === true);
  const alerts = alertsOf(facts);
  const deployment = deploymentOf(facts);
  const due = dueOf(facts);
  const switched = killSwitch?.on
    ? [
        {
          what: "kill switch",
          says: `ON, no order is executed${killSwitch.reason === null ? "" : `: ${killSwitch.reason}`}${killSwitch.by === null ? "" : ` (${killSwitch.by})`}; ${commandLine(facts.stack, "kill-switch off")} ends it`,
        },
      ]
    : [];
  const moving = facts.moving === undefined ? [] : [{ what: "move", says: moveNotice(facts.stack, facts.moving) }];
  const failed =
    deployment === null || deployment.result === "succeeded" || deployment.result === "in-progress"
      ? []
      : [
          {
            what: "deployment",
            says: `the last one ${deployment.result}, ${span(facts.now - Date.parse(deployment.at))} ago`,
          },
        ];
  // Of a stack that is not there each workload is missing; that is one problem.
  const isEmpty = told(facts.containers)?.length === 0;
  const none = isEmpty ? [{ what: "containers", says: `there are none; ${commandLine(facts.stack, "up")}` }] : [];
  const faulty = (isEmpty ? [] : (workloads ?? [])).flatMap(({ name, container, problem }) =>
    problem === null ? [] : [{ what: name, says: `${problem} (${container})` }],
  );
  const firing = (alerts ?? [])
    .filter(({ silenced }) => !silenced)
    .map(({ name, severity, summary, since }) => ({
      what: name,
      says: `${severity}, ${span(facts.now - Date.parse(since))}: ${summary}`,
    }));
  const late = (due ?? [])
    .filter(({ overdue }) => overdue)
    .map(({ what, says }) => ({ what, says: `overdue: ${says}` }));
  const problems = [...switched, ...moving, ...failed, ...none, ...faulty, ...firing, ...late];
  const silent = (Object.keys(SOURCES) as (keyof typeof SOURCES)[]).flatMap((key) => {
    const source: Said<unknown> = facts[key];
    return "silent" in source ? [{ source: SOURCES[key], says: plain(source.silent) }] : [];
  });
  return {
    stack: facts.stack,
    environment: facts.environment,
    at: iso(facts.now),
    verdict: problems.length > 0 ? "wrong" : silent.length > 0 ? "unknown" : "fine",
    trading: (told(facts.declared)?.trading ?? (facts.wantsLive ? "live" : "paper")) === "live" ? "live" : "paper",
    killSwitch,
    deployment,
    changing: changingOf(facts),
    problems,
    due,
    alerts,
    workloads,
    silent,
  };
}
