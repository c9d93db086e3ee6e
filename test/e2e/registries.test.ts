import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { STAND_IN_COMMAND } from "../../components/platform/standIn.ts";
import { ensureDocker } from "../../tools/bootstrap/docker/docker.ts";
import { buildStackImages } from "../../tools/lib/prepare.ts";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { randomText } from "../unit/lib/values.ts";
import { type Registry, startRegistry } from "./lib/registry.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

const USER = "robot";

describe("registries that want a login", () => {
  let stack: TestStack;
  /** One asks for name and password at once, the other for a token of its token server, as GitHub's and Docker Hub's do. */
  let plain: Registry;
  let token: Registry;
  const passwords = { plain: randomText(24), token: randomText(24) };
  const images = { reporter: "", "data-ingestor": "" };
  let reference: string;

  const set = (registry: Registry, key: "user" | "password", value: string) =>
    run(
      "./autollm",
      [
        ...["pulumi", "config", "set", ...(key === "password" ? ["--secret"] : [])],
        ...["--path", `registries["${registry.address}"].${key}`, "--stack", stack.name],
        ...(key === "password" ? [] : [value]),
      ],
      {
        cwd: root,
        env: { AUTOLLM_HOME: stack.home, NO_COLOR: "1" },
        ...(key === "password" ? { input: value } : {}),
      },
    );
  /** Takes the images from the daemon, so that the next update pulls them. */
  const forget = async () => {
    for (const image of Object.values(images)) await run("docker", ["rmi", image], { allowFailure: true });
  };
  const containers = async () =>
    (await docker("ps", "--all", "--no-trunc", "--quiet", "--filter", `label=autollm.stack=${stack.name}`))
      .split("\n")
      .filter((id) => id !== "")
      .sort();
  const upOf = () => stack.up();

  beforeAll(async () => {
    await ensureDocker({ install: process.env.CI === "true" });
    stack = await testStack("registries");
    plain = await startRegistry({ user: USER, password: passwords.plain, asks: "basic" });
    token = await startRegistry({ user: USER, password: passwords.token, asks: "token" });
    reference = (await buildStackImages()).built.reference ?? "";
    images.reporter = await plain.push(reference, "team/reporter", "1");
    images["data-ingestor"] = await token.push(reference, "team/data-ingestor", "1");
    // It makes the stack's file, and stops there: no image of the platform has been prepared.
    await stack.autollm("preview");
    const path = join(stack.home, `Pulumi.${stack.name}.yaml`);
    const file = parse(readFileSync(path, "utf8")) as { config: Record<string, unknown> };
    file.config["autollm:release"] = Object.fromEntries(
      Object.entries(images).map(([service, image]) => [service, { image, command: STAND_IN_COMMAND }]),
    );
    writeFileSync(path, stringify(file));
    await forget();
  });

  afterAll(async () => {
    await stack?.remove();
    await forget();
    await plain?.stop();
    await token?.stop();
  });

  test("without a login nothing is changed, and a line for each image names registry and key", async () => {
    const { code, stderr } = await upOf();
    expect(code).toBe(1);
    for (const [service, registry] of [
      ["reporter", plain],
      ["data-ingestor", token],
    ] as const)
      expect(stderr).toContain(
        `release.${service}.image: ${registry.address} wants a login for ${images[service]}; name one: ./autollm pulumi config set --path 'registries["${registry.address}"].user' USER`,
      );
    expect(await containers()).toEqual([]);
  });

  test("a wrong password is a line each, too", async () => {
    for (const registry of [plain, token]) {
      await set(registry, "user", USER);
      await set(registry, "password", randomText(24));
    }
    const { code, stdout, stderr } = await stack.autollm("preview");
    expect(code).toBe(1);
    for (const { address } of [plain, token])
      expect(stderr).toContain(`${address} refuses ${USER}: the password is wrong, or that account may not read`);
    expect(stdout).toBe("");
  });

  test("with its login each image is pulled, and the password is in no place that anybody looks at", async () => {
    await set(plain, "password", passwords.plain);
    await set(token, "password", passwords.token);
    const up = await upOf();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    for (const service of ["reporter", "data-ingestor"]) {
      const label = '{{index .Config.Labels "autollm.image"}} {{.State.Health.Status}}';
      const told = await docker("inspect", "--format", label, await stack.container(service));
      expect(told).toBe(`${images[service as keyof typeof images]} healthy`);
    }
    const preview = await stack.autollm("preview", "--diff");
    const seen = [
      up.stdout + up.stderr,
      preview.stdout + preview.stderr,
      await docker("inspect", ...(await containers())),
      await stack.pulumi("stack", "export"),
      readFileSync(join(stack.home, `Pulumi.${stack.name}.yaml`), "utf8"),
    ].join("\n");
    for (const password of Object.values(passwords)) {
      expect(seen.includes(password)).toBe(false);
      expect(seen.includes(Buffer.from(`${USER}:${password}`).toString("base64"))).toBe(false);
    }
  });

  test("a new password replaces nothing, and is used for the next pull", async () => {
    const before = await containers();
    for (const registry of [plain, token]) {
      const password = randomText(24);
      await registry.setPassword(password);
      await set(registry, "password", password);
    }
    const { code, stdout, stderr } = await upOf();
    expect(code, stdout + stderr).toBe(0);
    expect(await containers()).toEqual(before);
    const next = await plain.push(reference, "team/reporter", "2");
    await run("docker", ["rmi", next]);
    await run(
      "./autollm",
      [...["pulumi", "config", "set", "--path", "release.reporter.image", next], ...["--stack", stack.name]],
      { cwd: root, env: { AUTOLLM_HOME: stack.home } },
    );
    const again = await upOf();
    expect(again.code, again.stdout + again.stderr).toBe(0);
    const image = await docker(
      "inspect",
      "--format",
      '{{index .Config.Labels "autollm.image"}}',
      await stack.container("reporter"),
    );
    expect(image).toBe(next);
  });

  test("a scan is given the stack's logins, by which Docker's client and Trivy read images", async () => {
    // In Trivy's place, whose database is not available everywhere: it reads the image as Trivy does, with the logins of DOCKER_CONFIG.
    const folder = join(stack.home, "bin");
    mkdirSync(folder);
    writeFileSync(
      join(folder, "trivy"),
      '#!/bin/sh\nfor image; do :; done\nexec docker --config "$DOCKER_CONFIG" manifest inspect --insecure "$image" >/dev/null\n',
    );
    chmodSync(join(folder, "trivy"), 0o755);
    const scan = (...args: readonly string[]) =>
      run("./autollm", ["scan", "images", ...args, images["data-ingestor"]], {
        cwd: root,
        env: { AUTOLLM_HOME: stack.home, PATH: `${folder}${delimiter}${process.env.PATH}`, DOCKER_CONFIG: folder },
        allowFailure: true,
      });
    expect((await scan()).code).toBe(1);
    expect(await scan("--stack", stack.name)).toMatchObject({ code: 0 });
  });
});
