import { beforeAll, describe, expect, it } from "vitest";
import { services } from "../../components/platform/catalogue.ts";
import { segmentSpecs } from "../../components/segments.ts";
import { CONTAINER, type Recorded, type Recording, STACK } from "./lib/mocks.ts";
import { localConfig, runPlatform } from "./lib/platform.ts";
import { randomText } from "./lib/values.ts";

let platform: Recording;
beforeAll(async () => {
  platform = await runPlatform();
});

const isComponent = ({ type }: Recorded) => type.startsWith("autollm:");
const isProvider = ({ type }: Recorded) => type.startsWith("pulumi:providers:");

describe("the program", () => {
  it("hangs only its components and its provider at the root", () => {
    const root = platform.ofType(STACK)[0]?.urn;
    const atRoot = platform.resources.filter(({ parent }) => parent === root);
    expect(atRoot.filter((each) => !isComponent(each) && !isProvider(each)).map(({ urn }) => urn)).toEqual([]);
    expect(platform.resources.filter(({ parent }) => parent === "").map(({ type }) => type)).toEqual([STACK]);
  });

  it("gives every part that it is made of a component as parent", () => {
    const components = new Set(platform.resources.filter(isComponent).map(({ urn }) => urn));
    const custom = platform.resources.filter((each) => each.custom && !isProvider(each));
    expect(custom.length).toBeGreaterThan(80);
    expect(custom.filter(({ parent }) => !components.has(parent)).map(({ urn }) => urn)).toEqual([]);
  });

  it("leaves no component empty, and registers the outputs of each", () => {
    const parents = new Set(platform.resources.map(({ parent }) => parent));
    for (const { urn } of platform.resources.filter(isComponent)) {
      expect(platform.completed.has(urn), `${urn} calls registerOutputs`).toBe(true);
      expect(parents.has(urn), `${urn} has children`).toBe(true);
    }
  });

  it("names each resource of a type once, short enough to read", () => {
    const names = platform.resources.map(({ type, name }) => `${type} ${name}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    for (const { name } of platform.resources) expect(name).toMatch(/^[a-z0-9-]{1,40}$/);
  });

  it("talks to the one Docker that it was told, by no default provider", () => {
    const [provider, ...others] = platform.resources.filter(isProvider);
    expect(others).toEqual([]);
    expect(provider?.inputs.host).toBe("unix:///var/run/docker.sock");
    const foreign = platform.resources.filter(
      ({ type, provider: used }) => type.startsWith("docker:") && !used.startsWith(`${provider?.urn}::`),
    );
    expect(foreign).toEqual([]);
  });

  it("makes every segment, and only those with a way out are open", () => {
    const networks = platform.ofType("docker:index/network:Network");
    const specs = segmentSpecs();
    expect(networks.map(({ name }) => name).sort()).toEqual(specs.map(({ name }) => `segment-${name}`).sort());
    for (const { name, internal } of specs)
      expect(platform.find("docker:index/network:Network", `segment-${name}`).inputs).toMatchObject({ internal });
    expect(specs.filter(({ internal }) => !internal).map(({ name }) => name)).toEqual(["public", "egress"]);
  });

  it("starts a service after all that it needs", () => {
    const place = (name: string) => platform.resources.indexOf(platform.find(CONTAINER, name));
    for (const [service, { needs }] of Object.entries(services)) {
      for (const need of needs.filter((each) => each !== "data-volume")) {
        expect(place(need), `${need} before ${service}`).toBeLessThan(place(service));
      }
    }
  });

  it("runs the same twice: no name or setting of a container depends on chance", async () => {
    const again = await runPlatform();
    const settled = (recording: Recording) =>
      recording.containers
        .map(([name, { mounts: _, ...inputs }]) => [name, inputs] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1));
    expect(settled(again)).toEqual(settled(platform));
  });
});

describe("secrets", () => {
  const everyForm = (value: string) => [value, Buffer.from(value).toString("base64"), encodeURIComponent(value)];

  it("stand in no container's settings", () => {
    expect(platform.secretValues.length).toBeGreaterThan(20);
    for (const [name, inputs, { secretInputs }] of platform.containers) {
      const text = JSON.stringify(inputs);
      for (const value of platform.secretValues) {
        for (const form of everyForm(value)) expect(text.includes(form), name).toBe(false);
      }
      expect([...secretInputs], name).toEqual([]);
    }
  });

  it("enter no resource as a plain input, a script or a trigger", () => {
    const plain = platform.resources.map(({ inputs, secretInputs, urn }) => ({
      urn,
      text: JSON.stringify(Object.entries(inputs).filter(([key]) => !secretInputs.has(key))),
    }));
    for (const value of platform.secretValues) {
      for (const { urn, text } of plain) {
        for (const form of everyForm(value)) expect(text.includes(form), urn).toBe(false);
      }
    }
  });

  it("that the owner supplied reach the one service that is granted them, and stay secret", async () => {
    const value = randomText(32);
    const supplied = await runPlatform({ config: { ...localConfig, openai: value }, secretKeys: ["openai"] });
    expect(supplied.files("llm-agents")["run-secrets/env/OPENAI_API_KEY"]).toBe(value);
    const holders = supplied
      .ofType("command:local:Command")
      .filter(({ name }) => name.endsWith("-files"))
      .map(({ name }) => name.slice(0, -"-files".length))
      .filter((name) => Object.values(supplied.files(name)).some((text) => text.includes(value)));
    expect(holders).toEqual(["llm-agents"]);
    const open = supplied.resources.filter(({ inputs, secretInputs }) =>
      Object.entries(inputs).some(([key, input]) => !secretInputs.has(key) && JSON.stringify(input).includes(value)),
    );
    expect(open.map(({ urn }) => urn)).toEqual([]);
  });
});

describe("a stack outside local", () => {
  it("protects the state of production from a destroy", async () => {
    const release = Object.fromEntries(
      Object.keys(services).map((name) => [name, { image: `registry.example/${name}@sha256:${"ab".repeat(32)}` }]),
    );
    const config = {
      environment: "production",
      domain: "trader.example.com",
      bindAddress: "0.0.0.0",
      httpPort: "80",
      httpsPort: "443",
      release: JSON.stringify(release),
      backup: JSON.stringify({ image: `registry.example/backup@sha256:${"cd".repeat(32)}` }),
      edge: JSON.stringify({ image: `registry.example/edge-sockets@sha256:${"cd".repeat(32)}` }),
      "tws-userid": randomText(8),
      "tws-password": randomText(24),
    };
    const production = await runPlatform({ config, stack: "production", secretKeys: ["tws-userid", "tws-password"] });
    const volumes = production.ofType("docker:index/volume:Volume");
    expect(volumes.length).toBeGreaterThan(5);
    expect(volumes.filter((volume) => !volume.protect).map(({ name }) => name)).toEqual([]);
    for (const [name, { entrypoints, command, labels }] of production.containers.filter(([name]) => name in services)) {
      expect([...(entrypoints ?? []), ...(command ?? [])]).toEqual(["/bin/sh", "/run/autollm/start.sh", "/app/start"]);
      expect(labels).toContainEqual({
        label: "autollm.image",
        value: `registry.example/${name}@sha256:${"ab".repeat(32)}`,
      });
    }
  });

  it("may be destroyed where it is for trying out", () => {
    expect(platform.ofType("docker:index/volume:Volume").some(({ protect }) => protect)).toBe(false);
  });

  it("refuses a service without an image: the stand-in is for local", async () => {
    await expect(runPlatform({ config: { environment: "staging", domain: "staging.example.com" } })).rejects.toThrow(
      /names no image, and a stand-in is for environment local/,
    );
  });

  it("refuses a wrong config before any resource is registered", async () => {
    await expect(runPlatform({ config: { ...localConfig, enviroment: "x" } })).rejects.toThrow(
      /did you mean environment/,
    );
  });
});
