import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { grantedTo } from "../../../components/credentials/grants.ts";
import { applicationNames, applications } from "../../../components/platform/applications/index.ts";
import { serviceNames } from "../../../components/platform/catalogue.ts";
import { fillEnvironment } from "../../../components/platform/filled.ts";
import { commandOf } from "../../../components/platform/imageStart.ts";
import { ownerOfVolume, startFaults, volumeNameOf } from "../../../components/platform/release.ts";
import { startOf } from "../../../components/platform/started.ts";
import { checkConfig } from "../../../components/settings.ts";

const image = `registry.example/app@sha256:${"0a".repeat(32)}`;
/** A reference, as a value has it. */
const of = (inside: string) => `\${${inside}}`;
const faultsOf = (release: object): string => {
  try {
    checkConfig({ "autollm:release": JSON.stringify(release) }, new Set());
    return "";
  } catch (error) {
    return String(error);
  }
};

describe("release", () => {
  it("takes how an image is started, and tells all faults at once with their keys", () => {
    const start = {
      command: ["/app", "serve"],
      environment: { AUTH: `{"jwt_secret":"${of("credential:jwt")}"}`, PLAIN: "x", CA: of("file:nats-ca") },
      writable: { "/cache": { memory: 64 }, "/app/data": { volume: true } },
      ...{ memory: 700, pids: 99, startPeriod: 120, deploy: "recreate" },
    };
    expect(faultsOf({ "gateway-api": { image, ...start } })).toBe("");
    const faults = faultsOf({
      "gateway-api": {
        image,
        environment: { A: of("credential:openai"), B: of("address:ib.port"), C: of("nothing"), PATH: "/x", "A-B": "x" },
        writable: { "/run/secrets": { memory: 1 }, relative: { memory: 1 }, "/x": { memory: 0 } },
        memory: 1,
      },
      "execution-ib": { image, deploy: "rolling" },
      "backtest-engine": { image, deploy: "recreate" },
    });
    for (const key of ["environment.PATH", "environment.A-B", "writable.relative", 'writable["/x"]', "memory"])
      expect(faults).toContain(`release.gateway-api.${key}`);
  });

  it("refers only to what the service is granted and needs", () => {
    const problems = startFaults("gateway-api", {
      environment: { A: of("credential:openai"), B: of("address:ib.port"), C: of("nothing"), D: of("credential:jwt") },
      writable: { "/run/secrets": { memory: 1 }, "/run": { memory: 1 }, "/runs": { memory: 1 } },
    });
    expect(problems.map(([key]) => key)).toEqual([
      "environment.A",
      "environment.B",
      "environment.C",
      "writable./run/secrets",
      "writable./run/secrets",
      "writable./run",
    ]);
    expect(problems[0]?.[1]).toMatch(
      /credential:openai, a credential that the service is not granted; it may name jwt/,
    );
    expect(startFaults("execution-ib", { deploy: "rolling" })).toEqual([
      ["deploy", "must not be rolling: two executors would trade twice"],
    ]);
  });

  it("grants rights in NATS to a service that uses it, and a stream of the platform to those who publish to it", () => {
    expect(startFaults("gateway-api", { messaging: { inbox: "standard", streams: ["INTENTS", "AUDIT"] } })).toEqual([]);
    expect(startFaults("llm-agents", { messaging: { streams: ["ORDERS"] } })).toEqual([
      ["messaging.streams", "names ORDERS, a stream of the platform to which the service does not publish"],
    ]);
    expect(startFaults("backtest-engine", { messaging: { inbox: "standard" } })).toEqual([
      ["messaging", "cannot be set: the service does not use NATS"],
    ]);
    const faults = faultsOf({ "gateway-api": { image, messaging: { inbox: "other", streams: ["A.B"] } } });
    expect(faults).toContain("release.gateway-api.messaging.inbox: must be own or standard");
    expect(faults).toContain("release.gateway-api.messaging.streams.0: must be a stream's name");
  });

  it("refuses a name that the start wrapper would refuse, and paths that are in each other's way", () => {
    const names = ["jwt_secret", "_AUTH", "PYTHON_AUTH", "NODE_AUTH", "HOME"];
    const environment = Object.fromEntries(names.map((name) => [name, of("credential:jwt")]));
    expect(startFaults("gateway-api", { environment }).map(([key]) => key)).toEqual(
      names.map((name) => `environment.${name}`),
    );
    expect(startFaults("gateway-api", { environment: { HOME: "/app", jwt_url: of("file:nats-ca") } })).toEqual([]);
    const writable = {
      "/app": { memory: 1 },
      "/app/a-b": { volume: true },
      "/x/a.b": { memory: 1 },
      "/x/a-b": { memory: 1 },
    } as const;
    expect(startFaults("gateway-api", { writable }).map(([key]) => key)).toEqual([
      "writable./app/a-b",
      "writable./x/a-b",
    ]);
  });

  it("shares a volume where both say so, and no other", () => {
    const own = { writable: { "/app/data": { volume: true } } };
    const guest = { writable: { "/app/data": { volume: "gateway-api" } } };
    expect(faultsOf({ "gateway-api": { image, ...own }, reporter: { image, ...guest } })).toBe("");
    const faults = faultsOf({
      reporter: { image, writable: { "/app/data": { volume: "reporter" }, "/x": { volume: "gateway-api" } } },
      "risk-manager": { image, writable: { "/app/data": { volume: "nobody" } } },
    });
    expect(faults).toContain('release.risk-manager.writable["/app/data"]: must be {memory: MiB}, {volume: true}');
    const both = faultsOf({ reporter: { image, ...guest }, "gateway-api": { image, ...guest } });
    expect(both).toContain(
      'release.reporter.writable["/app/data"]: names the volume of gateway-api at this path, which has no volume there: release.gateway-api.writable["/app/data"] must be {volume: true}',
    );
    expect(both).toContain('release.gateway-api.writable["/app/data"]: names the volume of gateway-api');
  });

  it("has a home where it may write, and a way out of its own for a batch job alone", () => {
    const writable = { "/home/app": { memory: 64 } } as const;
    for (const home of ["/home/app", "/home/app/deep", "/tmp/x"])
      expect(startFaults("llm-agents", { home, writable })).toEqual([]);
    expect(startFaults("llm-agents", { home: "/home", writable })).toEqual([
      ["home", "is in none of the paths that it may write to: /tmp, /home/app"],
    ]);
    expect(startFaults("backtest-engine", { egress: true })).toEqual([]);
    expect(startFaults("gateway-api", { egress: true }).map(([key]) => key)).toEqual(["egress"]);
  });

  it("names the variable whose longer text needs something not supplied", () => {
    const environment = { TOKEN: `Bearer ${of("credential:openai")}`, MAIL: `smtp://${of("setting:mail.host")}` };
    const faults = faultsOf({
      "llm-agents": { image, environment },
      reporter: { image, environment: { ONE: of("setting:mail.host") } },
    });
    expect(faults).toContain(
      "release.llm-agents.environment.TOKEN: refers to credential:openai, which is not supplied",
    );
    expect(faults).toContain("release.llm-agents.environment.MAIL: refers to setting:mail.host, which is not supplied");
    expect(faults).not.toContain("reporter");
  });

  it("counts variable by variable over the application's table, and not at all for a stand-in", () => {
    const settings = { application: "autollm", release: { reporter: { image, environment: { X: "1" } } } } as const;
    const start = startOf("reporter", settings);
    expect(start.environment).toMatchObject({ X: "1", DATABASE: expect.any(String) });
    expect(start.command).toEqual(["python", "-m", "apps.reporter.src.main"]);
    expect(startOf("gateway-api", settings)).toEqual({});
  });

  it("names a volume of its own for each path, which tells whose it is", () => {
    const volume = volumeNameOf("gateway-api", "/app/My_Data.d");
    expect(volume).toBe("app-gateway-api-app-my-data-d");
    expect(ownerOfVolume(volume)).toBe("gateway-api");
    expect(ownerOfVolume("postgres-data")).toBeUndefined();
  });
});

describe("the command line of an image", () => {
  it.each<[string, readonly string[]]>([
    ['["/entry"]\n["serve","--port"]\n', ["/entry", "serve", "--port"]],
    ['null\n["python","-m","app"]\n', ["python", "-m", "app"]],
    ['["/entry"]\nnull\n', ["/entry"]],
    ["null\nnull\n", []],
  ])("%j", (printed, line) => {
    expect(commandOf(printed)).toEqual(line);
  });
});

describe.each(applicationNames)("the application %s", (application) => {
  it.each(serviceNames)(
    "starts %s without a fault, and refers to nothing that the service is not granted",
    (service) => {
      const start = startOf(service, { application, release: { [service]: { image } } });
      expect(startFaults(service, start)).toEqual([]);
      const read: string[] = [];
      const { plain } = fillEnvironment(service, start.environment, {
        settings: { generation: {}, mail: {}, freqtradeHost: "", domain: "localhost", httpsPort: 8443 },
        ibPort: 4002,
        read: (name) => {
          read.push(name);
          return undefined;
        },
      });
      expect(read.filter((name) => !grantedTo(service).some((granted) => granted === name))).toEqual([]);
      for (const value of Object.values(plain)) expect(value).not.toContain("${");
    },
  );

  it("has YAML files that a program can read", () => {
    const files = applications[application].files({ symbols: ["BTC-USD", "SPY"] });
    for (const text of Object.values(files)) expect(parseYaml(String(text))).toEqual(expect.any(Object));
  });
});

it("AutoLLM Trader's files name symbols as its exchanges do, and the platform's limits", () => {
  const files = applications.autollm.files({ symbols: ["BTC-USD", "BRK-B", "SPY"] });
  const { symbols } = parseYaml(String(files["symbols.yaml"]));
  expect(symbols.map(({ symbol }: { symbol: string }) => symbol)).toEqual(["BTC/USDT", "BRK-B", "SPY"]);
  const { risk_manager: risk } = parseYaml(String(files["risk.yaml"]));
  expect(risk.position_limits.max_leverage).toBe(3);
  expect(risk.kill_switch.storage_file).toBe("/app/data/kill_switch.flag");
});
