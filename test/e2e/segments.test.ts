import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { natsServices } from "../../components/data/nats.ts";
import { portsIn } from "../../components/ports.ts";
import { isOpen, type SegmentName, segmentSpecs } from "../../components/segments.ts";
import { neededSegments } from "../../policies/segments.ts";
import { run } from "../../tools/lib/run.ts";
import { access } from "./lib/access.ts";
import { type Hostile, hostileIn } from "./lib/hostileContainer.ts";
import {
  type Attempt,
  answered,
  inside,
  loopbackOnly,
  makeOutside,
  type Outside,
  type Placed,
  placed,
} from "./lib/reach.ts";
import { type TestStack, testStack } from "./lib/stack.ts";
import { keysReached, postgresSchemas, redisKeys, schemasReached } from "./lib/stores.ts";
import { forbidden, NatsTrial, subjects } from "./lib/subjects.ts";

/** Seconds: for a way that should be there, and for one that should not. */
const PATIENCE = 20;
const SILENCE = 3;
/** How often a way that should be there is looked for by a hostile container. */
const SCANS = 4;

/** What a stack on this machine, without receivers and a second repository, does not join. */
const NOT_HERE: Readonly<Record<string, readonly string[]>> = {
  alertmanager: ["egress"],
  backup: ["egress"],
  "wal-archive": ["egress"],
  "ib-gateway": ["egress"],
};

const segmentNames = segmentSpecs().map(({ name }) => name);

/** What is declared, written apart from the components. */
function declared(name: string): SegmentName[] {
  const needed = neededSegments(name);
  if (needed === undefined) throw new Error(`nothing says which segments ${name} needs`);
  return segmentNames.filter((segment) => needed.includes(segment) && !NOT_HERE[name]?.includes(segment));
}

describe("the network", () => {
  let stack: TestStack;
  let containers: readonly Placed[];
  let outside: Outside;

  beforeAll(async () => {
    outside = await makeOutside();
    stack = await testStack("e2e-segments");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    containers = await placed(stack.name);
    expect(containers.length).toBeGreaterThan(20);
  });
  afterAll(async () => {
    await outside?.remove();
    await stack?.remove();
  });

  test("has each container in the declared segments, listening there on the declared ports and no other", () => {
    const ports = (name: string, segments: readonly SegmentName[]) =>
      Object.fromEntries(segments.map((segment) => [segment, portsIn(name, segment, true)]));
    const seen = containers.map(({ name, addresses, listens }) => ({
      name,
      ports: Object.fromEntries(
        Object.keys(addresses).map((segment) => [
          segment,
          listens.filter(({ segments }) => segments.includes(segment)).map(({ port }) => port),
        ]),
      ),
    }));
    const expected = containers.map(({ name }) => ({ name, ports: ports(name, declared(name)) }));
    expect(seen).toEqual(expected);
  });

  /** Every address of a container with every port that it listens on anywhere, those of its loopback included. */
  const doors = (to: Placed, isDeclared: (segment: SegmentName, port: number) => boolean): Attempt[] =>
    Object.entries(to.addresses).flatMap(([segment, host]) =>
      [...new Set(to.listens.map(({ port }) => port))].map((port) => ({
        label: `${to.name}:${port} through ${segment}`,
        host,
        port,
        seconds: isDeclared(segment as SegmentName, port) ? PATIENCE : SILENCE,
      })),
    );
  const expectedOf = (attempts: readonly Attempt[]) =>
    attempts.filter(({ seconds }) => seconds === PATIENCE).map(({ label }) => label);

  test("lets a container reach another where they share an inner segment and it listens there, and nowhere else", async () => {
    for (const from of containers) {
      const own = declared(from.name);
      const attempts = containers
        .filter(({ name }) => name !== from.name)
        .flatMap((to) =>
          doors(
            to,
            (segment, port) =>
              !isOpen(segment) && own.includes(segment) && portsIn(to.name, segment, true).includes(port),
          ),
        );
      const open = expectedOf(attempts);
      expect((await answered(inside(from), attempts)).sort(), `from ${from.name}`).toEqual(open.sort());
    }
  });

  test("lets out who calls the internet, and nobody else", async () => {
    const { address: host, port } = outside;
    for (const from of containers) {
      const leaves = declared(from.name).some(isOpen);
      const attempt = { label: "outside", host, port, seconds: leaves ? PATIENCE : SILENCE };
      expect(await answered(inside(from), [attempt]), `from ${from.name}`).toEqual(leaves ? ["outside"] : []);
    }
  });

  test("lets nobody in from outside, but to Caddy's ports", async () => {
    const attempts = containers.flatMap((to) =>
      doors(to, (segment, port) => segment === "public" && portsIn(to.name, segment, true).includes(port)),
    );
    expect((await answered(outside.enter, attempts)).sort()).toEqual(expectedOf(attempts).sort());
  });

  test("is not there for a batch job: it has a loopback and nothing else", async () => {
    expect(declared("backtest-engine")).toEqual([]);
    expect(await loopbackOnly(await stack.container("backtest-engine"))).toBe(true);
  });

  test("lets nobody delete log lines by asking for it, not even who reads them", async () => {
    const grafana = containers.find(({ name }) => name === "grafana");
    if (grafana === undefined) throw new Error("there is no grafana");
    const selector = encodeURIComponent('{service_name="llm-agents"}');
    const url = `http://${await stack.address("loki", "loki")}:3100/loki/api/v1/delete?query=${selector}&start=1`;
    const script = `fetch(${JSON.stringify(url)}, { method: "POST" }).then(({ status }) => console.log(status))`;
    const [program = "", ...words] = [...inside(grafana), process.execPath, "--eval", script];
    expect(Number((await run(program, words)).stdout)).toBeGreaterThanOrEqual(400);
  });

  describe.each(segmentNames)("a hostile container in the segment %s", (segment) => {
    let hostile: Hostile;
    beforeAll(async () => {
      hostile = await hostileIn(stack, segment);
    });
    afterAll(async () => hostile?.remove());

    test("reaches the declared ports of those who listen there, and no other of all ports and containers", async () => {
      const open = containers.flatMap(({ name, addresses }) =>
        isOpen(segment) || addresses[segment] === undefined
          ? []
          : portsIn(name, segment, true).map((port) => `${name}:${port}`),
      );
      // What answers once is open; a busy machine may need several scans to answer everywhere.
      const reached = new Set<string>();
      for (let scans = 0; scans < SCANS && (scans === 0 || !open.every((each) => reached.has(each))); scans++)
        for (const each of await hostile.scan(containers)) reached.add(each);
      expect([...reached].sort()).toEqual(open.sort());
    });

    test("resolves the names of those who serve there, and no other", async () => {
      const known = containers.flatMap(({ name, addresses }) =>
        addresses[segment] !== undefined && !isOpen(segment) && portsIn(name, segment, true).length > 0 ? [name] : [],
      );
      expect(await hostile.resolves(containers.map(({ name }) => name))).toEqual(known.sort());
    });

    test("finds of the host nothing but what listens on all of its addresses, and beyond it nothing without a way out", async () => {
      expect(await hostile.scanHost()).toEqual([]);
      const beyond = await hostile.beyond(outside);
      // Whether the open ones reach a cloud's metadata service is the host's firewall to say.
      if (isOpen(segment)) expect(beyond).toContain("outside");
      else expect(beyond).toEqual([]);
    });
  });

  test.each(Object.keys(redisKeys))("Redis lets %s touch its own keys, and refuses it every other", async (service) => {
    const to = access(stack);
    const session = await to.redis(await to.redisUserOf(service), await to.secret(service, "REDIS_PASSWORD"));
    expect(await keysReached(session)).toEqual(redisKeys[service]);
    session.destroy();
  });

  test.each(Object.entries(postgresSchemas))(
    "Postgres lets %s reach its own schema and those that it reads, and refuses it all else",
    async (role, own) => {
      const to = access(stack);
      const service = role.replaceAll("_", "-");
      const session = await to.postgres(role, await to.secret(service, "POSTGRES_PASSWORD"));
      const { writes, reads, forbidden: done } = await schemasReached(session, role);
      await session.end();
      expect(done).toEqual([]);
      expect(writes).toEqual([own.writes]);
      // The stand-ins keep no table in every schema: where there is none, there is nothing to read.
      expect(own.reads).toEqual(expect.arrayContaining(reads));
      if (own.reads.includes("portfolio_ledger")) expect(reads).toContain("portfolio_ledger");
    },
  );

  describe("NATS lets each service", () => {
    const sample = Object.entries(subjects);
    const trials = new Map<string, NatsTrial>();

    beforeAll(async () => {
      const to = access(stack);
      const servers = `${await stack.address("nats", "nats")}:4222`;
      const ca = await to.file("reporter", "/run/secrets/files/nats_ca.pem");
      for (const service of natsServices) {
        const password = await to.secret(service, "NATS_PASSWORD");
        trials.set(service, await NatsTrial.of(servers, await to.natsUserOf(service), password, ca));
      }
    });
    afterAll(async () => {
      for (const trial of trials.values()) await trial.close();
    });

    test.each(natsServices)("%s publish its own subjects, and refuses it every other", async (service) => {
      const own = sample.filter(([, { from }]) => from.includes(service)).map(([subject]) => subject);
      const tried = [...Object.keys(subjects), ...forbidden.publish];
      expect(await trials.get(service)?.publish(tried)).toEqual(own);
    });

    test.each(natsServices)("%s receive its own subjects, and refuses it every other", async (service) => {
      const own = sample.filter(([, { to }]) => to.includes(service)).map(([subject]) => subject);
      const tried = [...Object.keys(subjects), ...forbidden.subscribe];
      expect(await trials.get(service)?.subscribe(tried)).toEqual(own);
    });

    test("set the kill switch by any message on its subject; released, an order goes its whole way", async () => {
      expect((await stack.autollm("kill-switch", "status")).code, "it is set").toBe(2);
      expect((await stack.autollm("kill-switch", "off", "--yes")).code).toBe(0);
      await access(stack).whole();
    });
  });
});
