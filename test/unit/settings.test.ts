import { describe, expect, it, test } from "vitest";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { ConfigError, checkConfig } from "../../components/settings.ts";
import { randomText } from "./lib/values.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

/** What only the owner can supply: IB's login everywhere but locally, and two more for live trading. */
const login = { "tws-userid": randomText(8), "tws-password": randomText(24) };
const forLive = { openai: randomText(24), "ib-account": "U1234567" };
const SECRET = [...Object.keys({ ...login, ...forLive }), "trading"];

/** Checks a config given as `pulumi config set` stores it: text as it is, all else as JSON. */
function check(config: Readonly<Record<string, unknown>>, secret: readonly string[] = SECRET) {
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  return checkConfig(
    Object.fromEntries(Object.entries(config).map(([key, value]) => [`autollm:${key}`, text(value)])),
    new Set(secret.map((key) => `autollm:${key}`)),
  );
}

function faultsOf(config: Readonly<Record<string, unknown>>, secret: readonly string[] = SECRET): readonly string[] {
  try {
    check(config, secret);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

const set = (path: string) => `fix it with: ./autollm pulumi config set --path '${path}' VALUE`;
const setSecret = (name: string) => `./autollm pulumi config set --secret ${name}`;
const SET_CONFIRM = "./autollm pulumi config set --secret --path 'trading.liveConfirm'";
const image = (name: string) => `registry.example/${name}@sha256:${"ab".repeat(32)}`;
/** What every environment but the local one must name. */
const released = {
  release: Object.fromEntries(serviceNames.map((name) => [name, { image: image(name) }])),
  backup: { image: image("backup") },
  edge: { image: image("edge-sockets") },
};
const production = { environment: "production", domain: "trader.example.com", ...released, ...login };

const bareHost = { address: "192.0.2.7", hostKey: "ssh-ed25519 AAAA" };

const wrong: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
  [
    "a mistyped key",
    { enviroment: "local" },
    "enviroment: is no known key; did you mean environment? Remove it with: ./autollm pulumi config rm enviroment",
  ],
  [
    "a mistyped credential",
    { finhub: "x" },
    "finhub: is no known key; did you mean finnhub? Remove it with: ./autollm pulumi config rm finhub",
  ],
  [
    "a key that resembles none",
    { quartzclockwork: "1" },
    "quartzclockwork: is no known key. Remove it with: ./autollm pulumi config rm quartzclockwork",
  ],
  [
    "an unknown environment",
    { environment: "prod" },
    `environment: Invalid option: expected one of "local"|"staging"|"production"; ${set("environment")}`,
  ],
  [
    "live without a confirmation",
    { ...production, ...forLive, trading: { live: true } },
    `trading.liveConfirm: live trading needs a second, explicit setting: the account that ib-account names; fix it with: ${SET_CONFIRM}`,
  ],
  [
    "live with another account's confirmation",
    { ...production, ...forLive, trading: { live: true, liveConfirm: "U7654321" } },
    `trading.liveConfirm: is not the account that ib-account names; set it with: ${SET_CONFIRM}`,
  ],
  [
    "a confirmation without live",
    { ...production, trading: { liveConfirm: "U1234567" } },
    `trading.live: is not true, but trading.liveConfirm is set; remove that or trade live; ${set("trading.live")}`,
  ],
  [
    "live outside production",
    { trading: { live: true, liveConfirm: "U1234567" } },
    `trading.live: only environment production may trade live; ${set("trading.live")}`,
  ],
  [
    "live as text",
    { ...production, trading: { live: "true" } },
    `trading.live: Invalid input: expected boolean, received string; ${set("trading.live")}`,
  ],
  ["a mistyped key of trading", { trading: { Live: true } }, 'trading: Unrecognized key: "Live"'],
  [
    "local images outside local",
    { ...production, imageSource: "local" },
    `imageSource: locally built images are for environment local; use registry; ${set("imageSource")}`,
  ],
  [
    "no public name outside local",
    { environment: "staging", ...released, ...login },
    `domain: must be the public host name outside environment local; ${set("domain")}`,
  ],
  [
    "a service without an image outside local",
    { ...production, release: { reporter: { image: image("reporter") } } },
    `release.gateway-api.image: names no image, and a stand-in is for environment local; missing: ${serviceNames.filter((name) => name !== "reporter").join(", ")}; ${set("release.gateway-api.image")}`,
  ],
  [
    "no image of the backup outside local",
    { ...production, backup: {} },
    `backup.image: must be the backup's own image, by the digest that the workflow \`images\` prints; ${set("backup.image")}`,
  ],
  [
    "no image of edge-sockets outside local",
    { ...production, edge: {} },
    `edge.image: must be the image of edge-sockets, by the digest that the workflow \`images\` prints; ${set("edge.image")}`,
  ],
  [
    "a URL as domain",
    { domain: "https://trader.example.com" },
    `domain: must be a host name in lower case, such as trader.example.com; ${set("domain")}`,
  ],
  [
    "two dots in a domain",
    { domain: "trader..example.com" },
    `domain: must be a host name in lower case, such as trader.example.com; ${set("domain")}`,
  ],
  [
    "a range that does not begin where its network does",
    { networkRange: "10.213.1.0/20" },
    `networkRange: must begin with the network's first address, 10.213.0.0; ${set("networkRange")}`,
  ],
  [
    "a range in which the administrators are",
    { networkRange: "10.8.0.0/20", adminNetworks: ["10.8.7.0/24"] },
    `networkRange: overlaps with 10.8.7.0/24 of adminNetworks, which is not the containers'; choose another range; ${set("networkRange")}`,
  ],
  [
    "an admin network that is none",
    { adminNetworks: ["192.0.2.0/24", "192.0.2.0/33"] },
    `adminNetworks.1: must be an address or a network, such as 203.0.113.7 or 203.0.113.0/24; ${set("adminNetworks.1")}`,
  ],
  [
    "a proxy before the edge that is none",
    { trustedProxies: ["cdn.example.com"] },
    `trustedProxies.0: must be an address or a network, such as 203.0.113.7 or 203.0.113.0/24; ${set("trustedProxies.0")}`,
  ],
  ...["0.0.0.0/0", "128.0.0.0/1", "::/0", "2000::/3"].map(
    (network) =>
      [
        `everybody as a proxy before the edge, by ${network}`,
        { trustedProxies: ["198.51.100.0/24", network] },
        `trustedProxies: ${network} would let any client claim any address; name the proxies' own networks, /${network.includes(":") ? 16 : 8} or longer; ${set("trustedProxies")}`,
      ] as [string, Record<string, unknown>, string],
  ),
  ...[
    ["10.0.0.0/8", "10.1.0.0/16"],
    ["10.1.2.3", "10.1.0.0/16"],
    ["2001:db8::/32", "2001:db8:1::1"],
  ].map(
    ([proxy, network]) =>
      [
        `administrators at ${network} behind proxies of ${proxy}`,
        { trustedProxies: [proxy], adminNetworks: ["192.0.2.1", network] },
        `trustedProxies: ${proxy} overlaps ${network} of adminNetworks: a request whose proxy does not name the client would count as an administrator's; ${set("trustedProxies")}`,
      ] as [string, Record<string, unknown>, string],
  ),
  [
    "a certificate for trying out in production",
    { ...production, acmeStaging: true },
    `acmeStaging: production needs a certificate that browsers trust; ${set("acmeStaging")}`,
  ],
  ["port 0", { httpPort: 0 }, `httpPort: Too small: expected number to be >=1; ${set("httpPort")}`],
  [
    "a port beyond the last",
    { httpsPort: 65536 },
    `httpsPort: Too big: expected number to be <=65535; ${set("httpsPort")}`,
  ],
  [
    "a port that is no number",
    { httpPort: "http" },
    `httpPort: Invalid input: expected number, received string; ${set("httpPort")}`,
  ],
  ["one port for both", { httpPort: 8443 }, `httpsPort: must differ from httpPort; ${set("httpsPort")}`],
  ...["0.0.0.0", "::", "192.0.2.7"].map(
    (bindAddress) =>
      [
        `odd ports on ${bindAddress}`,
        { bindAddress },
        `bindAddress: on a public address Caddy publishes 80 and 443 only; set httpPort 80 and httpsPort 443; ${set("bindAddress")}`,
      ] as const,
  ),
  [
    "a name as address",
    { bindAddress: "localhost" },
    `bindAddress: must be an IPv4 or IPv6 address; ${set("bindAddress")}`,
  ],
  [
    "a release without a digest",
    { release: { reporter: { image: "registry.example/reporter:1.2.3" } } },
    `release.reporter.image: must be pinned by digest: repository@sha256:<64 hex digits>; ${set("release.reporter.image")}`,
  ],
  [
    "a release of an unknown service",
    { release: { reportr: { image: `a@${DIGEST}` } } },
    'release: Unrecognized key: "reportr"',
  ],
  ["generation 0", { generation: { vnc: 0 } }, `generation.vnc: must be 1 or more; ${set("generation.vnc")}`],
  [
    "half a generation",
    { generation: { vnc: 1.5 } },
    `generation.vnc: must be a whole number, 1 or more; ${set("generation.vnc")}`,
  ],
  [
    "an overlap with no generation before",
    { overlap: { "nats-tls": "present" } },
    `overlap.nats-tls: needs a generation of 2 or more: none is before 1; ${set("overlap.nats-tls")}`,
  ],
  [
    "a step that an overlap has not",
    { generation: { jwt: 2 }, overlap: { jwt: "accept" } },
    `overlap.jwt: must be present; ${set("overlap.jwt")}`,
  ],
  [
    "an overlap of what changes at once",
    { generation: { vnc: 2 }, overlap: { vnc: "present" } },
    'overlap: Unrecognized key: "vnc"',
  ],
  ["a generation of an unknown credential", { generation: { rediss: 2 } }, 'generation: Unrecognized key: "rediss"'],
  [
    "a generation of half a key pair",
    { generation: { "llm-signing-private": 2 } },
    'generation: Unrecognized key: "llm-signing-private"',
  ],
  ["a generation of what is supplied", { generation: { openai: 2 } }, 'generation: Unrecognized key: "openai"'],
  ["a relative directory", { filesDir: "files" }, `filesDir: must be an absolute path; ${set("filesDir")}`],
  [
    "a symbol in lower case",
    { symbols: ["spy"] },
    `symbols.0: must be upper case, such as BTC-USD; ${set("symbols.0")}`,
  ],
  ["no symbols", { symbols: [] }, `symbols: Too small: expected array to have >=1 items; ${set("symbols")}`],
  [
    "an unknown log level",
    { logLevel: "trace" },
    `logLevel: Invalid option: expected one of "debug"|"info"|"warning"|"error"; ${set("logLevel")}`,
  ],
  ...["root", "backup", "www-data", "trader", "deployer", "docker"].map(
    (name) =>
      [
        `the system account ${name} as an admin`,
        { host: { ...bareHost, admins: { [name]: [bareHost.hostKey] } } },
        `host.admins.${name}: is a system account: name an account of a person; ${set(`host.admins.${name}`)}`,
      ] as const,
  ),
  [
    "a metadata service among the private destinations",
    { host: { ...bareHost, privateDestinations: ["10.1.0.0/16", "169.254.169.254"] } },
    `host.privateDestinations.1.network: lies in 169.254.0.0/16, which stays closed: a cloud's metadata service or a special range; ${set("host.privateDestinations.1.network")}`,
  ],
  [
    "a public network among the private destinations",
    { host: { ...bareHost, privateDestinations: ["0.0.0.0/0"] } },
    `host.privateDestinations.0.network: is not inside one private range (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, 198.18.0.0/15, fc00::/7); public addresses need no entry; ${set("host.privateDestinations.0.network")}`,
  ],
  [
    "a private destination with a port of no number",
    { host: { ...bareHost, privateDestinations: [{ network: "10.1.0.0/16", ports: ["https"] }] } },
    `host.privateDestinations.0.ports.0: Invalid input: expected number, received string; ${set("host.privateDestinations.0.ports.0")}`,
  ],
  [
    "an hour for security fixes that is none",
    { host: { ...bareHost, upgradeTime: "24:00" } },
    `host.upgradeTime: must be a time of day, UTC, such as 02:00; ${set("host.upgradeTime")}`,
  ],
  [
    "a key of the deployer that is none",
    { host: { ...bareHost, deployerKeys: ["~/.ssh/new.pub"] } },
    `host.deployerKeys.0: must be a public key: \`type base64\`; ${set("host.deployerKeys.0")}`,
  ],
];

describe("a wrong config is refused, with the key, the fault and the fix", () => {
  test.each(wrong)("%s", (_, config, message) => expect(faultsOf(config)).toEqual([message]));

  it("names a credential in plain text, and not its value", () => {
    const value = randomText(24);
    expect(faultsOf({ finnhub: value })).toEqual([
      `finnhub: is stored in plain text; set it with: ${setSecret("finnhub")}`,
    ]);
    expect(() => check({ finnhub: value })).toThrow(expect.not.stringContaining(value));
  });

  it("live with a blank confirmation", () => {
    const faults = faultsOf({ ...production, ...forLive, trading: { live: true, liveConfirm: "  " } });
    expect(faults).toContainEqual(expect.stringMatching(/^trading\.liveConfirm: live trading needs a second/));
  });

  it("a confirmation in plain text, which git would keep", () => {
    const config = { ...production, ...forLive, trading: { live: true, liveConfirm: "U1234567" } };
    const faults = faultsOf(
      config,
      SECRET.filter((key) => key !== "trading"),
    );
    expect(faults).toEqual([`trading.liveConfirm: is stored in plain text; set it with: ${SET_CONFIRM}`]);
    expect(faults.join()).not.toContain("U1234567");
  });

  it.each(["", "   ", "\n"])("a supplied credential that is %j", (value) => {
    expect(faultsOf({ openai: value }, ["openai"])).toEqual([
      `openai: is empty; set the real one: ${setSecret("openai")}`,
    ]);
  });

  it("no login for IB Gateway outside local, which could never become healthy", () => {
    const { "tws-userid": _, ...others } = production;
    expect(faultsOf(others)).toEqual([
      `tws-userid: is missing, and needed outside environment local; set it with: ${setSecret("tws-userid")}`,
    ]);
  });

  it("keys that trade with real money while the stack trades on paper, unless they are of a sandbox", () => {
    const keys = { "binance-key": randomText(32), "kraken-secret": randomText(32) };
    expect(faultsOf(keys, Object.keys(keys))).toEqual([
      "binance-key: trades with real money, and this stack trades on paper; remove it: ./autollm pulumi config rm binance-key; or, if it is a key of binance's sandbox: ./autollm pulumi config set --path 'trading.sandbox[0]' binance",
      expect.stringMatching(/^kraken-secret: trades with real money/),
    ]);
    const marked = { ...keys, trading: { sandbox: ["kraken"] } };
    expect(faultsOf(marked, Object.keys(keys))).toEqual([
      expect.stringMatching(/^binance-key: trades .*sandbox\[1\]' binance$/),
    ]);
    expect(check({ ...keys, trading: { sandbox: ["kraken", "binance"] } }, Object.keys(keys)).supplied.size).toBe(2);
    const isLive = { ...production, ...forLive, ...keys, trading: { live: true, liveConfirm: "U1234567" } };
    expect(check(isLive, [...SECRET, ...Object.keys(keys)]).supplied.has("binance-key")).toBe(true);
  });

  it("live trading without what only its owner can supply", () => {
    expect(faultsOf({ ...production, trading: { live: true, liveConfirm: "U1234567" } })).toEqual(
      ["openai", "ib-account"].map(
        (name) => `${name}: is missing, and needed for live trading; set it with: ${setSecret(name)}`,
      ),
    );
  });

  it("reports all faults at once", () => {
    const config = {
      enviroment: "x",
      finnhub: "ab",
      "caddy-admin": "changeme",
      httpPort: 0,
      generation: { vnc: 0 },
      trading: { live: true, liveConfirm: "U1" },
    };
    const faults = faultsOf(config);
    expect(faults.map((fault) => fault.slice(0, fault.indexOf(":")))).toEqual([
      "enviroment",
      "finnhub",
      "caddy-admin",
      "finnhub",
      "caddy-admin",
      "httpPort",
      "generation.vnc",
      "trading.live",
    ]);
    expect(() => check(config)).toThrow(
      `the stack's config has 8 faults:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`,
    );
  });
});

describe("registries", () => {
  const at = (address: string, key?: string) => `registries["${address}"]${key === undefined ? "" : `.${key}`}`;
  const good = { user: "robot", password: randomText(24) };
  const setPassword = (address: string) => `./autollm pulumi config set --secret --path '${at(address, "password")}'`;
  const remove = (address: string) => `Remove it with: ./autollm pulumi config rm --path '${at(address)}'`;
  const written = "must be written as its images' names begin, without a scheme or path and in lower case: ghcr.io";

  it.each<[string, Record<string, unknown>, string]>([
    ["a scheme", { "https://ghcr.io": good }, `${at("https://ghcr.io")}: ${written}. ${remove("https://ghcr.io")}`],
    ["a path", { "ghcr.io/team": good }, `${at("ghcr.io/team")}: ${written}. ${remove("ghcr.io/team")}`],
    ["capitals", { "GHCR.io": good }, `${at("GHCR.io")}: ${written}. ${remove("GHCR.io")}`],
    [
      "a second name of Docker Hub",
      { "docker.io": good, "index.docker.io": good },
      `${at("index.docker.io")}: is Docker Hub: write docker.io. ${remove("index.docker.io")}`,
    ],
    [
      "no address",
      { team: good },
      `registries.team: is not a registry's address, such as ghcr.io or registry.example.com:5000. Remove it with: ./autollm pulumi config rm --path 'registries.team'`,
    ],
    [
      "a user without a password",
      { "ghcr.io": { user: "robot" } },
      `${at("ghcr.io", "password")}: is missing: set the account's password or token; fix it with: ${setPassword("ghcr.io")}`,
    ],
    [
      "a password without a user",
      { "ghcr.io": { password: good.password } },
      `${at("ghcr.io", "user")}: is missing: name the account; fix it with: ./autollm pulumi config set --path '${at("ghcr.io", "user")}' VALUE`,
    ],
    [
      "a default password",
      { "ghcr.io": { user: "robot", password: "changeme" } },
      `${at("ghcr.io", "password")}: is a known default; fix it with: ${setPassword("ghcr.io")}`,
    ],
  ])("refuses %s", (_, registries, fault) => expect(faultsOf({ registries }, ["registries"])).toEqual([fault]));

  it("refuses a password in plain text, and does not print it", () => {
    const faults = faultsOf({ registries: { "ghcr.io": good } });
    expect(faults).toEqual([
      `${at("ghcr.io", "password")}: is stored in plain text; set it with: ${setPassword("ghcr.io")}`,
    ]);
  });

  it.each([
    "docker.io",
    "ghcr.io",
    "localhost:5000",
    "registry.example.com:5000",
    "192.0.2.7:5000",
    "[2001:db8::1]:5000",
  ])("takes %s, and keeps the password out of the settings", (address) => {
    const { settings } = check({ registries: { [address]: good } }, ["registries"]);
    expect(settings.registries).toEqual({ [address]: { user: "robot" } });
  });
});

describe("a right config", () => {
  it("needs nothing: the default is a paper-trading local stack", () => {
    expect(check({})).toEqual({
      supplied: new Set(),
      settings: {
        environment: "local",
        domain: "localhost",
        domains: {},
        bindAddress: "127.0.0.1",
        httpPort: 8080,
        httpsPort: 8443,
        acmeStaging: false,
        adminNetworks: [],
        trustedProxies: [],
        networkRange: "10.213.0.0/20",
        mail: {},
        freqtradeHost: "",
        vncServer: false,
        imageSource: "registry",
        localImages: {},
        heldImages: {},
        application: "conventions",
        release: {},
        generation: {},
        healthInterval: 30,
        overlap: {},
        trading: { live: false, sandbox: [] },
        registries: {},
        logLevel: "info",
        filesDir: "",
        dockerHost: "unix:///var/run/docker.sock",
        backup: { time: "02:00", everyHours: 1, pointInTimeDays: 7, testMemory: 1024 },
        edge: {},
        symbols: ["BTC-USD", "ETH-USD", "SPY"],
      },
    });
  });

  it("may trade live in production, when it says so twice", () => {
    const trading = { live: true, liveConfirm: "U1234567" };
    expect(check({ ...production, ...forLive, trading }).settings.trading).toEqual({ ...trading, sandbox: [] });
  });

  it.each(["127.0.0.1", "127.1.2.3", "::1"])("may use any ports on the loopback address %s", (bindAddress) => {
    expect(check({ bindAddress }).settings.bindAddress).toBe(bindAddress);
  });

  it("names images by digest, and starts each by its own command unless told otherwise", () => {
    const image = `registry.example/reporter@${DIGEST}`;
    const { release } = check({ release: { reporter: { image } } }).settings;
    expect(release.reporter).toEqual({ image });
  });

  it("may come from before Redis had a user per service: its generation counts for nothing", () => {
    expect(check({ generation: { redis: 3, jwt: 2 } }).settings.generation.jwt).toBe(2);
    const value = randomText(24);
    expect(() => check({ redis: value }, ["redis"])).toThrow(
      /redis: is no longer a credential: redis-exporter, .* took its place. Remove it with: \.\/autollm pulumi config rm redis$/,
    );
    expect(() => check({ redis: value }, ["redis"])).not.toThrow(value);
  });

  it("reports which credentials the owner supplied, and keeps none of their values", () => {
    const value = randomText(24);
    const { supplied, settings } = check({ openai: value, "redis-gateway-api": value }, [
      "openai",
      "redis-gateway-api",
    ]);
    expect([...supplied]).toEqual(["openai", "redis-gateway-api"]);
    expect(JSON.stringify(settings)).not.toContain(value);
  });

  it("is not touched by other projects' keys", () => {
    expect(checkConfig({ "aws:region": "x", "docker:host": "y" }, new Set()).supplied.size).toBe(0);
  });

  it("opens no private network, and installs security fixes with New York's exchanges closed", () => {
    expect(check({ host: bareHost }).settings.host).toMatchObject({
      privateDestinations: [],
      deployerKeys: [],
      upgradeTime: "05:00",
    });
  });

  it("takes a private destination by its network alone, or with ports; a key without its comment", () => {
    const privateDestinations = ["10.1.0.0/16", { network: "fd00:1::/64", ports: [443] }];
    const deployerKeys = ["ssh-ed25519 BBBB somebody@somewhere"];
    expect(check({ host: { ...bareHost, privateDestinations, deployerKeys } }).settings.host).toMatchObject({
      privateDestinations: [{ network: "10.1.0.0/16" }, { network: "fd00:1::/64", ports: [443] }],
      deployerKeys: ["ssh-ed25519 BBBB"],
    });
  });

  it("keeps a text that looks like a number", () => expect(check({ domain: "127" }).settings.domain).toBe("127"));
});
