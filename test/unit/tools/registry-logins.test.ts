import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dockerConfig, providerLogins, registryOf } from "../../../components/registries.ts";
import { askRegistry } from "../../../tools/bootstrap/images/registry.ts";
import { registryFault, withDockerConfig } from "../../../tools/lib/registryLogins.ts";
import { localConfig, runPlatform } from "../lib/platform.ts";
import { randomText } from "../lib/values.ts";

const login = { user: "robot", password: randomText(24) };
const basic = `Basic ${Buffer.from(`${login.user}:${login.password}`).toString("base64")}`;
const TOKEN = randomText(20);
const DIGEST = `sha256:${"ab".repeat(32)}`;

describe("a registry is asked for an image as Docker asks it", () => {
  let server: Server;
  let registry: string;
  let asks: "basic" | "token" | "nothing";
  let realm: string;
  let seen: string[];

  const challenge = () =>
    asks === "basic" ? 'Basic realm="r"' : `Bearer realm="${realm}",service="registry.example",scope="x"`;
  const answer = ({ url = "", headers: { authorization = "" } }: IncomingMessage): number => {
    if (url.startsWith("/token")) return authorization === basic ? 200 : 403;
    const wanted = { basic, token: `Bearer ${TOKEN}`, nothing: "" }[asks];
    if (authorization !== wanted) return 401;
    return url === `/v2/team/app/manifests/${DIGEST}` ? 200 : 404;
  };

  beforeEach(async () => {
    asks = "basic";
    seen = [];
    server = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.statusCode = answer(request);
      if (response.statusCode === 401) response.setHeader("www-authenticate", challenge());
      response.end(request.method === "HEAD" ? "" : JSON.stringify({ token: TOKEN }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    realm = `http://${registry}/token`;
  });
  afterEach(() => void server.close());

  const image = (repository = "team/app") => `${registry}/${repository}@${DIGEST}`;

  it.each(["basic", "token"] as const)("which wants a login (%s)", async (how) => {
    asks = how;
    expect(await askRegistry(image(), login)).toBe("there");
    expect(await askRegistry(image(), { ...login, password: "another" })).toBe("refused");
    expect(await askRegistry(image(), undefined)).toBe("refused");
    expect(await askRegistry(image("team/other"), login)).toBe("missing");
  });

  it("with the scope of that image, and for its manifest alone, which no limit of pulls counts", async () => {
    asks = "token";
    await askRegistry(image(), login);
    const manifest = `HEAD /v2/team/app/manifests/${DIGEST}`;
    expect(seen).toEqual([
      manifest,
      "GET /token?scope=repository%3Ateam%2Fapp%3Apull&service=registry.example",
      manifest,
    ]);
  });

  it("and which wants none", async () => {
    asks = "nothing";
    expect(await askRegistry(image(), undefined)).toBe("there");
  });

  it("sends the password to no token server without TLS elsewhere", async () => {
    asks = "token";
    realm = "http://192.0.2.7/token";
    expect(await askRegistry(image(), login)).toBe("refused");
  });

  it("says nothing of one that does not answer", async () => {
    const address = image();
    await new Promise((done) => server.close(done));
    expect(await askRegistry(address, login)).toBe("unknown");
  });
});

describe("what a registry refuses is one line", () => {
  const reference = `ghcr.io/team/app@${DIGEST}`;
  const of = (answer: Parameters<typeof registryFault>[2], known?: { user: string }) =>
    registryFault("release.reporter.image", reference, answer, known, "staging");
  const setPassword = `./autollm pulumi config set --secret --path 'registries["ghcr.io"].password' --stack staging`;

  it("names registry, key and what to do", () => {
    expect(of("refused")).toBe(
      `release.reporter.image: ghcr.io wants a login for ${reference}; name one: ./autollm pulumi config set --path 'registries["ghcr.io"].user' USER --stack staging and ${setPassword}`,
    );
    expect(of("refused", { user: "robot" })).toBe(
      `release.reporter.image: ghcr.io refuses robot: the password is wrong, or that account may not read ${reference}; set the password again: ${setPassword}`,
    );
    expect(of("missing")).toBe(`release.reporter.image: ghcr.io has no such image: ${reference}`);
  });

  it.each(["there", "unknown"] as const)("and %s is no fault", (answer) => expect(of(answer)).toBeUndefined());
});

describe("the logins", () => {
  const hub = { "docker.io": login, "ghcr.io": login };

  it("have the names by which the docker plugins and Docker's client look them up", () => {
    expect(providerLogins(hub).map(({ address }) => address)).toEqual(["registry-1.docker.io", "ghcr.io"]);
    const { auths } = JSON.parse(dockerConfig(hub)) as { auths: Record<string, { auth: string }> };
    expect(Object.keys(auths)).toEqual(["https://index.docker.io/v1/", "ghcr.io"]);
    expect(auths["ghcr.io"]?.auth).toBe(basic.slice("Basic ".length));
  });

  it.each([
    ["redis", "docker.io"],
    ["team/app:1", "docker.io"],
    [`ghcr.io/team/app@${DIGEST}`, "ghcr.io"],
    ["localhost/app", "localhost"],
    ["registry:5000/app:1", "registry:5000"],
  ])("belong to the registry that an image's name names: %s", (reference, registry) =>
    expect(registryOf(reference)).toBe(registry),
  );

  it("lie in a folder of this user's alone while a program reads them, and nowhere afterwards", async () => {
    const folder = await withDockerConfig(hub, async (at) => {
      expect(statSync(at).mode & 0o077).toBe(0);
      expect(statSync(join(at, "config.json")).mode & 0o077).toBe(0);
      expect(readFileSync(join(at, "config.json"), "utf8")).toContain("ghcr.io");
      return at;
    });
    expect(existsSync(folder)).toBe(false);
    const failed = withDockerConfig(hub, async (at) => {
      throw new Error(at);
    });
    const at = await failed.catch((error: Error) => error.message);
    expect(existsSync(String(at))).toBe(false);
  });

  it("reach the docker provider as a secret, and no other resource", async () => {
    const config = { ...localConfig, registries: JSON.stringify({ "ghcr.io": login }) };
    const { resources } = await runPlatform({ config, secretKeys: ["registries"] });
    const holders = resources.filter(({ inputs }) => JSON.stringify(inputs).includes(login.password));
    expect(holders.map(({ type }) => type)).toEqual(["pulumi:providers:docker"]);
    expect([...(holders[0]?.secretInputs ?? [])]).toEqual(["registryAuth"]);
    expect(JSON.parse(String(holders[0]?.inputs.registryAuth))).toEqual([
      { address: "ghcr.io", username: login.user, password: login.password },
    ]);
  });

  it("change nothing where the config names none", async () => {
    const { resources } = await runPlatform();
    const [provider] = resources.filter(({ type }) => type === "pulumi:providers:docker");
    expect(provider?.inputs).not.toHaveProperty("registryAuth");
  });
});
