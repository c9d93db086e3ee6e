import { RunError } from "@pulumi/pulumi";
import { credentialSpec } from "../../components/credentials/catalogue.ts";
import { exchanges } from "../../components/credentials/fixed.ts";
import { grantedTo } from "../../components/credentials/grants.ts";
import { slotUser } from "../../components/data/slotUser.ts";
import { partImageNames } from "../../components/images.ts";
import type { ApplicationName } from "../../components/platform/applications/index.ts";
import {
  isServiceName,
  type ServiceName,
  type ServiceSpec,
  services,
  underscored,
} from "../../components/platform/catalogue.ts";
import { pinnedImage } from "../../components/platform/release.ts";
import { nameIn } from "../../components/segments.ts";
import { ensureImages, ensureOwnImages, registryReachable } from "../bootstrap/images/images.ts";
import { USAGE } from "../lib/command.ts";
import { say, step, UserError } from "../lib/log.ts";
import { run } from "../lib/run.ts";
import { CHECK_SECONDS, mountedPaths } from "./dockerArgs.ts";
import { type Judged, refusedPaths, type Seen, type StoreSeen } from "./judge.ts";
import { randomText } from "./made.ts";
import { type ContainerInputs, makePlan, type Plan } from "./plan.ts";
import type { ContainerState, Sandbox } from "./sandbox.ts";
import { hidden, secretsOf } from "./secrets.ts";

export interface CheckArgs {
  readonly service: ServiceName;
  /** An image of this machine's Docker. */
  readonly image: string;
  readonly application: ApplicationName;
  /** What `release.NAME` would say besides the image. */
  readonly release: Readonly<Record<string, unknown>>;
}

const STORES = ["postgres", "redis", "nats"] as const;
/** The part that makes the streams. */
const STREAMS = "nats-streams";
/** Seconds that a store or a stand-in has to be healthy. */
const PART_SECONDS = 120;
/** Seconds after its start that a program has to log in to what it needs. */
const LOGIN_SECONDS = 15;
/** Seconds that a program has nothing to do before its memory is read. */
const REST_SECONDS = 5;
/** Seconds that a program which is late to be healthy is watched further, to tell how much later it is. */
const LATE_SECONDS = 120;
/** Memory that a program which meets its limit is given to see what it takes: so many times its limit, and so many MiB at least. */
const ROOMY = { times: 4, least: 2048 };
/** How programs say that they have no memory left: Java, Python, Node, C. A virtual machine ends by itself at its own share of the limit. */
const OUT_OF_MEMORY = /OutOfMemoryError|\bMemoryError\b|heap out of memory|cannot allocate memory/i;
/** Last lines of a log that tell why a program ended. */
const LAST_LINES = 3;
const LINE_LENGTH = 300;

const secondsOf = (duration: string | undefined) => {
  const [, minutes = "0", seconds = "0"] = /^(?:(\d+)m)?(\d+)s$/.exec(duration ?? "") ?? [];
  return 60 * Number(minutes) + Number(seconds);
};

/** Seconds after which Docker has called a container healthy or unhealthy. */
function patience({ healthcheck }: ContainerInputs): number {
  if (healthcheck === undefined) return 30;
  const { startPeriod, timeout, retries = 3 } = healthcheck;
  return secondsOf(startPeriod) + retries * (CHECK_SECONDS + secondsOf(timeout)) + 5;
}

/** The images of the platform's own parts: pinned ones from their registry, or those that are built here. */
async function partImages(): Promise<Record<string, string>> {
  if (await registryReachable())
    return { imageSource: "registry", localImages: JSON.stringify(await ensureOwnImages()) };
  const built = await ensureImages(["postgres", "redis", "nats", "reference", "backup"]);
  // The program names every part; those that do not run need no image.
  const others = partImageNames.map((name) => [name, `autollm.local/${name}:none`] as const);
  return { imageSource: "local", localImages: JSON.stringify({ ...Object.fromEntries(others), ...built }) };
}

/** The id of an image that is here; one that is named by its digest is fetched from its registry where it is not. */
async function imageId(image: string): Promise<string> {
  const inspect = () => run("docker", ["image", "inspect", "--format", "{{.Id}}", image], { allowFailure: true });
  const here = await inspect();
  if (here.code === 0) return here.stdout.trim();
  if (!pinnedImage.safeParse(image).success)
    throw new UserError(
      `there is no image ${image} here: build it, get it by docker pull, or name it by its digest (REPOSITORY@sha256:...), by which it is fetched`,
      USAGE,
    );
  const pull = ["pull", "--quiet", image];
  const pulled = await step(`fetching ${image}`, "as long as its registry takes", () =>
    run("docker", pull, { allowFailure: true }),
  );
  if (pulled.code === 0) return (await inspect()).stdout.trim();
  const why = pulled.stderr.trim().split("\n").at(-1) ?? "";
  throw new UserError(`${image} is not here, and was not fetched from its registry: ${why}`, USAGE);
}

/** What the stack would do with the image, and the line by which it would refuse it. */
async function planOf(args: CheckArgs, sandbox: Sandbox): Promise<{ plan: Plan; refusal?: string }> {
  const { service, image, application, release } = args;
  const id = await imageId(image);
  const pinned = `check.invalid/${service}@sha256:${id.replace(/^sha256:/, "")}`;
  const supplied = grantedTo(service).filter((name) => credentialSpec(name).kind === "supplied");
  let refusal: string | undefined;
  const plan = await makePlan({
    stack: sandbox.name,
    config: {
      ...(await partImages()),
      environment: "local",
      filesDir: sandbox.folder,
      ...(process.env.DOCKER_HOST === undefined ? {} : { dockerHost: process.env.DOCKER_HOST }),
      application,
      release: JSON.stringify({ [service]: { ...release, image: pinned } }),
      // They are made up, and open nothing.
      trading: JSON.stringify({ sandbox: exchanges }),
    },
    supplied: new Map(supplied.map((name) => [name, randomText(32)])),
    imageIds: new Map([[`image-${service}`, id]]),
    answer: async (name, script) => {
      if (name !== `${service}-image-start`) return undefined;
      const looked = await run("sh", ["-c", script.create], { allowFailure: true });
      if (looked.code === 0) return looked.stdout;
      refusal = looked.stderr.trim().replaceAll(pinned, image);
      return "[]\nnull\n";
    },
  }).catch((error: unknown) => {
    // The program's own words on a config that it does not take.
    // It would name this check's own stack in the commands that fix it.
    throw RunError.isInstance(error) ? new UserError(error.message.replaceAll(/; fix it with: .*/g, ""), USAGE) : error;
  });
  return { plan, ...(refusal === undefined ? {} : { refusal }) };
}

/** The workloads that the service stands on, in the order in which they start. */
export function companions(service: ServiceName): string[] {
  const stores = new Set<string>();
  const peers = new Set<string>();
  const add = (name: ServiceName) => {
    const { needs }: ServiceSpec = services[name];
    for (const store of STORES) if (needs.includes(store)) stores.add(store);
    // What a service calls answers it.
    for (const need of needs) {
      if (need === "ib-gateway") peers.add(need);
      if (!isServiceName(need) || need === service || peers.has(need)) continue;
      // What it stands on itself comes before it.
      add(need);
      peers.add(need);
    }
  };
  add(service);
  // NATS is also who asks the service over the network.
  if (services[service].port !== null) stores.add("nats");
  return [...STORES.filter((store) => stores.has(store)), ...(stores.has("nats") ? [STREAMS] : []), ...peers];
}

/** One HTTP request from NATS's container: its status, 0 where there is no answer, and the body of a good one. */
async function ask(sandbox: Sandbox, asker: string, url: string): Promise<{ status: number; body: string }> {
  const { code, stdout, stderr } = await sandbox.docker(["exec", asker, "wget", "-q", "-T", "5", "-O", "-", url], {
    allowFailure: true,
  });
  if (code === 0) return { status: 200, body: stdout };
  // GNU's wget says nothing at all with -q, and tells an answer of the server by its exit code; BusyBox's writes it.
  const said = /\b([45]\d\d)\b/.exec(stderr)?.[1];
  return { status: said === undefined ? (code === 8 ? 500 : 0) : Number(said), body: "" };
}

/** A connection as NATS's monitoring shows it. */
interface Connection {
  readonly authorized_user?: string;
  readonly tls_version?: string;
  /** When it ended. */
  readonly stop?: string;
}

/** How the service is logged in to the stores that it needs. */
async function storesSeen(
  { service }: CheckArgs,
  sandbox: Sandbox,
  started: ReadonlyMap<string, string>,
): Promise<StoreSeen[]> {
  const { needs }: ServiceSpec = services[service];
  const seen: StoreSeen[] = [];
  const nats = started.get("nats");
  if (needs.includes("nats") && nats !== undefined) {
    // Those that have ended, too: a program may log in, be refused a subject, and give up.
    const { body } = await ask(
      sandbox,
      nats,
      `http://${nameIn("nats", "nats")}:8222/connz?auth=1&state=all&limit=1024`,
    );
    const { connections = [] } = JSON.parse(body === "" ? "{}" : body) as { connections?: readonly Connection[] };
    const own = connections.filter(({ authorized_user: user = "" }) => user.startsWith(service));
    const open = own.filter(({ stop }) => stop === undefined);
    const log = await sandbox.lines(nats);
    seen.push({
      store: "nats",
      loggedIn: own.length > 0,
      ...(open.length === 0 ? {} : { tls: open.every(({ tls_version: version }) => version !== undefined) }),
      handshakeFailed: log.some((line) => line.includes("TLS handshake error")),
    });
  }
  const postgres = started.get("postgres");
  if (needs.includes("postgres") && postgres !== undefined) {
    const sql = `SELECT count(*) FROM pg_stat_activity WHERE usename = '${underscored(service)}'`;
    const query = ["psql", "--no-psqlrc", "-At", "--host=/tmp", "--username=postgres", `--command=${sql}`];
    const { stdout } = await sandbox.docker(["exec", postgres, ...query], { allowFailure: true });
    seen.push({ store: "postgres", loggedIn: Number(stdout) > 0 });
  }
  const redis = started.get("redis");
  if (needs.includes("redis") && redis !== undefined) {
    const list = ["/bin/sh", "/etc/autollm/acl.sh", "cli", "client", "list"];
    const { stdout } = await sandbox.docker(["exec", redis, ...list], { allowFailure: true });
    seen.push({ store: "redis", loggedIn: stdout.includes(` user=${slotUser(service, 1)} `) });
  }
  return seen;
}

/**
 * What NATS's log says that it refused a service: "publish to x", "subscribe to y", each once. A fence or a generation may follow the
 * service's name in its user's.
 */
export function refusedSubjects(service: ServiceName, log: readonly string[]): string[] {
  const found = log.flatMap((line) => {
    const [, verb, subject = ""] = /(Publish|Subscription) Violation - .*?Subject "([^"]+)"/.exec(line) ?? [];
    // Older servers write `User "NAME"`, newer ones `ACCOUNT/user:NAME`.
    const user = /(?:\/user:|User ")([^"]+)"/.exec(line)?.[1];
    if (verb === undefined || user?.startsWith(service) !== true) return [];
    // What follows the prefix of an inbox is random.
    const stable = subject.replace(/^(_INBOX\.).*/, "$1>");
    return [`${verb === "Publish" ? "publish to" : "subscribe to"} ${stable}`];
  });
  return [...new Set(found)];
}

/** The memory that a container has in use, MiB. */
async function memoryOf(sandbox: Sandbox, container: string): Promise<number | undefined> {
  const { stdout } = await sandbox.docker(["stats", "--no-stream", "--format", "{{.MemUsage}}", container]);
  const [, amount, unit = ""] = /^([\d.]+)([KMG]?i?B)/.exec(stdout) ?? [];
  const factor = { B: 1 / 1024 / 1024, KiB: 1 / 1024, MiB: 1, GiB: 1024 }[unit];
  return amount === undefined || factor === undefined ? undefined : Math.round(Number(amount) * factor);
}

/** Runs the image as the stack would, and writes down what it does. */
async function watch(args: CheckArgs, sandbox: Sandbox, plan: Plan): Promise<Seen> {
  const { service } = args;
  const { port }: ServiceSpec = services[service];
  const inputs = plan.containers.get(service);
  if (inputs === undefined) throw new Error(`the stack has no workload ${service}`);
  const secrets = secretsOf(plan, service);
  await sandbox.makeNetwork();
  const started = new Map<string, string>();
  const around = companions(service);
  await step(`starting what ${service} stands on: ${around.join(", ") || "nothing"}`, "under a minute", async () => {
    const start = async (name: string) => {
      // Nobody takes traces there; without the name, a program would wait for its resolver.
      const container = await sandbox.start(plan, name, name === "nats" ? { aliases: ["otel-collector"] } : {});
      started.set(name, container);
      const { state } = await sandbox.settled(container, PART_SECONDS);
      if (state.running && state.health !== "unhealthy") return;
      const last = (await sandbox.lines(container)).slice(-LAST_LINES).join(" | ");
      throw new UserError(`${name} did not start, so the image cannot be checked: ${last}`);
    };
    const isStore = (name: string) => STORES.some((store) => store === name);
    await Promise.all(around.filter(isStore).map(start));
    for (const name of around.filter((each) => !isStore(each))) await start(name);
  });
  const most = patience(inputs);
  const container = await step(`starting ${args.image} as ${service}`, `at most ${most} s`, async () => {
    const name = await sandbox.start(plan, service);
    return { name, ...(await sandbox.settled(name, most)) };
  });
  const late = await lateHealth(sandbox, container);
  const { name, state, seconds } = container;
  const asker = started.get("nats");
  const base = `http://${nameIn(service, service)}:${port}`;
  const serving: Partial<Pick<Seen, "listens" | "healthStatus" | "metricsPage">> = {};
  let stores: StoreSeen[] = [];
  let memory: Seen["memory"];
  if (state.running) {
    if (port !== null && asker !== undefined) {
      const health = await ask(sandbox, asker, `${base}/health`);
      const page = await ask(sandbox, asker, `${base}/metrics`);
      const isPage = page.status === 200 && /^# (TYPE|HELP) |^[a-z_:][\w:]*(\{|\s)/im.test(page.body);
      Object.assign(serving, {
        listens: health.status !== 0,
        healthStatus: health.status,
        ...(isPage ? { metricsPage: page.body } : {}),
      });
    }
    const complete = await sandbox.eventually(LOGIN_SECONDS, async () => {
      stores = await storesSeen(args, sandbox, started);
      return stores.every(({ loggedIn }) => loggedIn) ? stores : undefined;
    });
    stores = complete ?? stores;
    await new Promise((done) => setTimeout(done, REST_SECONDS * 1000));
    const usedMiB = await memoryOf(sandbox, name);
    if (usedMiB !== undefined) memory = { usedMiB, limitMiB: inputs.memory ?? 0 };
  } else stores = await storesSeen(args, sandbox, started);
  const after = await sandbox.state(name);
  const stop = after.running ? await stopped(sandbox, name, inputs.stopTimeout ?? 15) : undefined;
  const log = await sandbox.lines(name);
  const ended = !state.running ? state : after.running ? undefined : after;
  const isDone = port === null && ended?.exitCode === 0;
  const starved =
    ended?.killedForMemory === true || (!isDone && ended !== undefined && log.some((line) => OUT_OF_MEMORY.test(line)));
  const neededMiB = starved ? await needed(sandbox, plan, service, inputs) : undefined;
  return {
    ...(ended === undefined || isDone ? {} : { ended: { code: ended.exitCode, killedForMemory: starved } }),
    lastLines: hidden(secrets, log.slice(-LAST_LINES)).map((line) => line.slice(0, LINE_LENGTH)),
    limitMiB: inputs.memory ?? 0,
    ...(neededMiB === undefined ? {} : { neededMiB }),
    ...(late === undefined ? {} : { lateSeconds: late }),
    health: state.health === "starting" ? "unhealthy" : state.health,
    seconds,
    ...serving,
    log: hidden(secrets, log),
    leaked: [...secrets]
      .filter(([, value]) => log.some((line) => line.includes(value)))
      .map(([credential]) => credential),
    written: await written(sandbox, plan, service, inputs),
    stores,
    refusedSubjects: asker === undefined ? [] : refusedSubjects(service, await sandbox.lines(asker)),
    ...(stop === undefined ? {} : { stop }),
    ...(memory === undefined ? {} : { memory }),
  };
}

/** Seconds after which a program was healthy that was not so in time; undefined for one that was, or never is. */
async function lateHealth(
  sandbox: Sandbox,
  { name, state, seconds }: { readonly name: string; readonly state: ContainerState; readonly seconds: number },
): Promise<number | undefined> {
  if (!state.running || state.health === "healthy" || state.health === "none") return undefined;
  return step("watching further whether it becomes healthy later", `at most ${LATE_SECONDS} s`, async () => {
    const begin = Date.now();
    const is = await sandbox.eventually(LATE_SECONDS, async () => {
      const { running, health } = await sandbox.state(name);
      return !running || health === "healthy" ? { health } : undefined;
    });
    return is?.health === "healthy" ? seconds + Math.round((Date.now() - begin) / 1000) : undefined;
  });
}

/** What a program takes that met its memory limit, once it has more, MiB; undefined where that is not enough either. */
async function needed(
  sandbox: Sandbox,
  plan: Plan,
  service: ServiceName,
  inputs: ContainerInputs,
): Promise<number | undefined> {
  const memory = Math.max(ROOMY.times * (inputs.memory ?? 0), ROOMY.least);
  return step(`running it once more with ${memory} MiB`, "the same time again, or more", async () => {
    const name = await sandbox.start(plan, service, { memory });
    await sandbox.settled(name, patience(inputs) + LATE_SECONDS);
    return (await sandbox.state(name)).running ? memoryOf(sandbox, name) : undefined;
  });
}

async function stopped(sandbox: Sandbox, container: string, limit: number): Promise<Seen["stop"]> {
  const begin = Date.now();
  await sandbox.docker(["stop", "-t", String(limit), container]);
  const seconds = Math.round((Date.now() - begin) / 100) / 10;
  return { seconds, killed: (await sandbox.state(container)).exitCode === 137 };
}

/** Runs the image once more, free to write where it likes, and answers where it did that the stack would refuse. */
async function written(sandbox: Sandbox, plan: Plan, service: ServiceName, inputs: ContainerInputs): Promise<string[]> {
  return step("running it once more, free to write anywhere", "the same time again at most", async () => {
    const name = await sandbox.start(plan, service, { free: true });
    await sandbox.settled(name, Math.min(patience(inputs), 60));
    const { stdout } = await sandbox.docker(["diff", name]);
    return refusedPaths(stdout, mountedPaths(inputs));
  });
}

/** Checks an image. The sandbox is left as it is. */
export async function checkImage(args: CheckArgs, sandbox: Sandbox): Promise<{ seen: Seen; judged: Judged }> {
  const { plan, refusal } = await planOf(args, sandbox);
  const { port }: ServiceSpec = services[args.service];
  const inputs = plan.containers.get(args.service);
  const writable = [
    ...Object.keys(inputs?.tmpfs ?? {}),
    ...(inputs?.mounts ?? []).filter(({ type }) => type === "volume").map(({ target }) => target),
  ];
  const judged = { service: args.service, application: args.application, port, writable };
  if (refusal === undefined) return { seen: await watch(args, sandbox, plan), judged };
  say(`the stack refuses ${args.image}`);
  return {
    seen: {
      refusal,
      ...{
        lastLines: [],
        limitMiB: 0,
        health: "none",
        seconds: 0,
        log: [],
        leaked: [],
        written: [],
        stores: [],
        refusedSubjects: [],
      },
    },
    judged,
  };
}
