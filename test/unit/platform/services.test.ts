import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ibApiPort } from "../../../components/broker/ibPort.ts";
import { filesDirectory } from "../../../components/filesDirectory.ts";
import { conventions } from "../../../components/platform/applications/conventions.ts";
import { type ServiceName, serviceNames, services } from "../../../components/platform/catalogue.ts";
import { serviceEnvironment } from "../../../components/platform/environment.ts";
import { startOrder } from "../../../components/platform/services.ts";
import { partReference } from "../../../components/runtime/imageReferences.ts";
import { serviceSeats } from "../../../components/segments.ts";
import { checkConfig, type Settings } from "../../../components/settings.ts";
import type { Recording } from "../lib/mocks.ts";
import { runPlatform, runProduction } from "../lib/platform.ts";

const settings: Settings = checkConfig({}, new Set()).settings;
const live: Settings = {
  ...settings,
  environment: "production",
  trading: { live: true, sandbox: [], liveConfirm: "U1234567" },
};

describe("the order in which services start", () => {
  it("puts what a service needs before it", () => {
    const order = startOrder(serviceNames, (name) => services[name].needs);
    expect([...order].sort()).toEqual([...serviceNames].sort());
    for (const name of order) {
      for (const need of services[name].needs.filter((each) => serviceNames.some((other) => other === each))) {
        expect(order.indexOf(need as ServiceName), `${need} before ${name}`).toBeLessThan(order.indexOf(name));
      }
    }
  });

  it("follows needs of needs, and takes each service once", () => {
    const needs: Partial<Record<ServiceName, readonly ServiceName[]>> = {
      reporter: ["gateway-api", "risk-manager"],
      "gateway-api": ["risk-manager"],
    };
    const order = startOrder(["reporter", "risk-manager", "gateway-api"], (name) => needs[name] ?? []);
    expect(order).toEqual(["risk-manager", "gateway-api", "reporter"]);
  });

  it("does not wait for what is no service", () => {
    expect(startOrder(["reporter"], () => ["postgres", "nats"])).toEqual(["reporter"]);
  });

  it("names a circle", () => {
    const needs: Partial<Record<ServiceName, readonly ServiceName[]>> = {
      "gateway-api": ["risk-manager"],
      "risk-manager": ["llm-agents"],
      "llm-agents": ["gateway-api"],
    };
    expect(() => startOrder(["gateway-api"], (name) => needs[name] ?? [])).toThrow(
      "services need each other in a circle: gateway-api -> risk-manager -> llm-agents -> gateway-api",
    );
    expect(() => startOrder(["reporter"], () => ["reporter"])).toThrow(/reporter -> reporter/);
  });
});

const IB_PORT = 4002;

describe("a service's environment", () => {
  it.each(serviceNames)("%s: its name, UTC, its configuration, and paper trading", (name) => {
    expect(serviceEnvironment(name, settings, IB_PORT)).toMatchObject({
      ENVIRONMENT: "local",
      LOG_LEVEL: "info",
      TZ: "UTC",
      LIVE: "0",
      OTEL_SERVICE_NAME: name,
      SYMBOLS_CONFIG: "/etc/autollm/symbols.yaml",
      FEEDS_CONFIG: "/etc/autollm/feeds.yaml",
      RISK_CONFIG: "/etc/autollm/risk.yaml",
    });
  });

  it.each([
    ["postgres", "POSTGRES_HOST"],
    ["redis", "REDIS_HOST"],
    ["nats", "NATS_URL"],
    ["ib-gateway", "IB_HOST"],
    ["data-volume", "KILL_SWITCH_FILE"],
  ])("tells of %s only to those that need it", (need, variable) => {
    const told = serviceNames.filter((name) => variable in serviceEnvironment(name, settings, IB_PORT));
    expect(told).toEqual(serviceNames.filter((name) => services[name].needs.some((each) => each === need)));
  });

  it("names a role of Postgres and a user of NATS of its own", () => {
    expect(serviceEnvironment("portfolio-ledger", settings, IB_PORT)).toMatchObject({
      POSTGRES_USER: "portfolio_ledger",
      POSTGRES_DB: "autollm",
      NATS_USER: "portfolio-ledger",
      NATS_URL: "tls://nats:4222",
    });
  });

  it("holds no secret's name: those come as files", () => {
    for (const name of serviceNames) {
      const names = Object.keys(serviceEnvironment(name, live, IB_PORT));
      expect(names.filter((each) => /PASSWORD|SECRET|TOKEN|API_KEY|PRIVATE/.test(each))).toEqual([]);
    }
  });

  it("says LIVE=1 only when the settings do", () => {
    expect(serviceEnvironment("execution-ib", live, IB_PORT).LIVE).toBe("1");
  });

  it.each([
    [false, true, "4002"],
    [true, true, "4001"],
    [false, false, "4004"],
    [true, false, "4003"],
  ])("live %s, stand-in %s: IB's API on %s", (isLive, standIn, port) => {
    expect(serviceEnvironment("execution-ib", settings, ibApiPort(isLive, standIn)).IB_PORT).toBe(port);
  });
});

describe("the services' files", () => {
  it("name the symbols of the settings and the platform's limits", () => {
    const files = conventions.files({ ...settings, symbols: ["BTC-USD", "SPY"] });
    expect(parse(String(files["symbols.yaml"]))).toEqual({ symbols: ["BTC-USD", "SPY"] });
    expect(parse(String(files["risk.yaml"]))).toMatchObject({
      max_position_concentration_pct: 25,
      max_leverage_ratio: 3,
    });
  });
});

describe("the reference of an image", () => {
  const local = {
    imageSource: "local",
    environment: "local",
    localImages: { redis: "autollm.local/redis:1" },
    backup: {},
    edge: {},
  } as const;
  const registry = {
    imageSource: "registry",
    environment: "production",
    localImages: {},
    backup: {},
    edge: {},
  } as const;

  it("is pinned by digest if a registry is reachable", () => {
    expect(partReference("redis", registry)).toMatch(/^redis:.+@sha256:[0-9a-f]{64}$/);
  });

  it("is the local tag where one was built, and an error that tells how where not", () => {
    expect(partReference("redis", local)).toBe("autollm.local/redis:1");
    expect(() => partReference("nats", local)).toThrow(
      "localImages.nats: is missing; `./autollm up` builds the images and sets it",
    );
  });

  it("with a digest that nobody verified is refused outside local", () => {
    expect(() => partReference("nats-exporter", registry)).toThrow(/the digest of .* is not verified/);
    expect(partReference("nats-exporter", { ...registry, environment: "local" })).not.toContain("@");
  });

  it("of a store is the one that is held, where one is", () => {
    const held = `postgres:17.11-alpine@sha256:${"ab".repeat(32)}`;
    for (const settings of [local, registry])
      expect(partReference("postgres", { ...settings, heldImages: { postgres: held } })).toBe(held);
    expect(partReference("redis", { ...registry, heldImages: { postgres: held } })).toMatch(/^redis:/);
  });

  it("of the backup is the one that the config names", () => {
    const image = `r.example/backup@sha256:${"ab".repeat(32)}`;
    expect(partReference("backup", { ...registry, backup: { image } })).toBe(image);
    expect(() => partReference("backup", registry)).toThrow(/backup.image/);
  });

  it("of the stand-in exists for local alone", () => {
    expect(() => partReference("reference", registry)).toThrow(/name an image for every service/);
  });
});

describe("where files go on the Docker host", () => {
  it.each([
    ["where the settings say", { environment: "local", filesDir: "/srv/files" }, /^\/srv\/files$/],
    [
      "in the user's own state for local",
      { environment: "local", filesDir: "" },
      /\/\.local\/state\/autollm-trader\/mine$/,
    ],
    [
      "with the host's state elsewhere",
      { environment: "production", filesDir: "" },
      /^\/var\/lib\/autollm\/files\/mine$/,
    ],
  ] as const)("%s", (_, given, path) => expect(filesDirectory(given, "mine")).toMatch(path));
});

describe("the services of another application", () => {
  let platform: Recording;
  beforeAll(async () => {
    platform = await runProduction({ application: "autollm" });
  });
  const volumeOf = (name: ServiceName, path: string) =>
    platform.container(name).mounts?.find(({ type, target }) => type === "volume" && target === path);
  const variable = (name: ServiceName, key: string) =>
    platform
      .container(name)
      .envs?.find((each) => each.startsWith(`${key}=`))
      ?.slice(key.length + 1);

  it("share one volume where they are declared to: by the group of its owner, and nobody else is in it", () => {
    expect(volumeOf("risk-manager", "/app/data")?.source).toBe(volumeOf("gateway-api", "/app/data")?.source);
    expect(volumeOf("risk-manager", "/app/data")?.readOnly).toBeUndefined();
    const grouped = serviceNames.filter((name) => platform.container(name).groupAdds !== undefined);
    expect(grouped).toEqual(["risk-manager"]);
    expect(platform.container("risk-manager").groupAdds).toEqual([String(services["gateway-api"].uid)]);
    const masked = serviceNames.filter((name) => variable(name, "AUTOLLM_UMASK") !== undefined);
    expect(masked).toEqual(["gateway-api", "risk-manager"]);
  });

  it("have it opened to that group by its owner, without any capability, before either starts", () => {
    const script = platform.resources.find(({ name }) => name === "app-gateway-api-app-data-shared");
    expect(script?.inputs.create).toMatch(/--user 70101:70101 .*--cap-drop ALL/);
    expect(script?.inputs.create).not.toMatch(/cap-add/);
    const opened = platform.resources.filter(({ name }) => name.endsWith("-shared"));
    expect(opened.map(({ name }) => name)).toEqual(["app-gateway-api-app-data-shared"]);
  });

  it("start what was recorded when their images were pinned, unless their entry says another command", async () => {
    const image = `r.example/x@sha256:${"ab".repeat(32)}`;
    const recorded = { entrypoint: ["/entry"], command: ["serve"] };
    const release = Object.fromEntries(serviceNames.map((name) => [name, { image, recorded }]));
    const plain = await runProduction({ release: JSON.stringify(release) });
    expect(plain.container("reporter").command).toEqual(["/run/autollm/start.sh", "/entry", "serve"]);
    const script = plain.resources.find(({ name }) => name === "reporter-image-start")?.inputs.create;
    expect(script).toContain(`'["/entry"]\n["serve"]'`);
    const table = await runProduction({ release: JSON.stringify(release), application: "autollm" });
    expect(table.container("reporter").command?.slice(1)).toEqual(["python", "-m", "apps.reporter.src.main"]);
  });

  it("have the home that their entry names", () => {
    expect(variable("llm-agents", "HOME")).toBe("/home/app");
    expect(variable("llm-agents", "XDG_CACHE_HOME")).toBe("/home/app/.cache");
    expect(platform.container("llm-agents").tmpfs).toHaveProperty("/home/app");
    expect(variable("gateway-api", "HOME")).toBeUndefined();
  });

  it("have a way out where their entry says so, the batch job too", async () => {
    const networks = (recording: Recording) => recording.container("backtest-engine").networksAdvanced?.length;
    expect(networks(platform)).toBe(1);
    expect(platform.container("backtest-engine").networkMode).toBe("bridge");
    const plain = await runProduction();
    expect(networks(plain)).toBe(0);
    expect(plain.container("backtest-engine").networkMode).toBe("none");
  });
});

describe("the services that run", () => {
  let platform: Recording;
  beforeAll(async () => {
    platform = await runPlatform();
  });

  it.each(serviceNames)("%s: its limits, its segments, its way of deploying, and the wrapper", (name) => {
    const entry = services[name];
    const container = platform.container(name);
    expect(container).toMatchObject({
      memory: entry.resources.memory,
      cpuShares: entry.resources.cpuShares,
      entrypoints: ["/bin/sh"],
      command: ["/run/autollm/start.sh", "node", "/app/reference.mjs"],
      user: `${services[name].uid}:${services[name].uid}`,
    });
    expect(container.networksAdvanced).toHaveLength(serviceSeats(name).segments.length);
    expect(container.labels).toContainEqual({ label: "autollm.deploy", value: entry.deploy.mode });
    expect(container.mounts?.filter(({ type }) => type === "volume").map(({ target }) => target)).toEqual(
      entry.volumes.map(({ path }) => path),
    );
  });

  it("find the files that their environment points to", () => {
    for (const name of serviceNames) {
      const files = Object.keys(platform.files(name));
      const pointers = (platform.container(name).envs ?? []).filter((each) =>
        /(_PATH|_CONFIG)=\/(run|etc)\//.test(each),
      );
      for (const pointer of pointers) {
        const path = pointer.slice(pointer.indexOf("=") + 1);
        const inside = path.replace(/^\/(run|etc)\/([a-z]+)\//, "$1-$2/");
        expect(files, `${name} ${pointer}`).toContain(inside);
      }
    }
  });
});
