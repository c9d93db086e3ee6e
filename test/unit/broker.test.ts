import { describe, expect, it } from "vitest";
import type { Recording } from "./lib/mocks.ts";
import { localConfig, runPlatform, runProduction } from "./lib/platform.ts";
import { randomText } from "./lib/values.ts";

/** What the container of IB Gateway is given: its inputs, and the names in its label of credentials. */
function gateway(platform: Recording) {
  const container = platform.container("ib-gateway");
  const labels = new Map((container.labels ?? []).map(({ label, value }) => [label, value]));
  return { ...container, credentials: labels.get("autollm.credentials") };
}
const production = async (config: Readonly<Record<string, string>> = {}) => gateway(await runProduction(config));

/** A machine that reaches a registry: `./autollm up` builds our own images alone. */
const registryConfig = { ...localConfig, imageSource: "registry" };
const login = { "tws-userid": randomText(8), "tws-password": randomText(24) };

describe("IB Gateway", () => {
  it("is a stand-in if there is no login yet, even on a machine that could pull the real one", async () => {
    for (const config of [localConfig, registryConfig]) {
      const platform = await runPlatform({ config });
      expect(gateway(platform).envs).toContain("SERVICE_ROLE=ib-gateway");
      expect(platform.container("execution-ib").envs).toContain("IB_PORT=4002");
    }
  });

  it("is the real one locally, once a login is supplied and its image can be pulled", async () => {
    const options = { config: { ...registryConfig, ...login }, secretKeys: Object.keys(login) };
    const platform = await runPlatform(options);
    expect(gateway(platform).command).toEqual(["/etc/autollm/start.sh"]);
    expect(platform.container("execution-ib").envs).toContain("IB_PORT=4004");
    expect(gateway(await runPlatform({ ...options, config: { ...localConfig, ...login } })).envs).toContain(
      "SERVICE_ROLE=ib-gateway",
    );
  });

  it("has its whole login from files: the image reads the password itself, and the user's name by our start script", async () => {
    const platform = await runProduction();
    const { envs, credentials } = gateway(platform);
    expect(credentials).toBe("tws-password,tws-userid");
    expect(envs).toContain("TWS_PASSWORD_FILE=/run/secrets/tws-password");
    expect((envs ?? []).filter((each) => String(each).startsWith("TWS_USERID"))).toEqual([]);
    expect(platform.files("ib-gateway")["etc-autollm/start.sh"]).toContain("TWS_USERID=$(</run/secrets/tws-userid)");
  });

  it("may write its settings, its configuration and what Java keeps, and nothing else", async () => {
    const { readOnly, mounts, tmpfs, envs } = await production();
    expect(readOnly).toBe(true);
    expect((mounts ?? []).filter((mount) => mount.type === "volume").map(({ target }) => target)).toEqual([
      "/settings",
    ]);
    expect(Object.keys(tmpfs ?? {}).sort()).toEqual(["/home/ibgateway/.java", "/run/ibc", "/tmp"]);
    expect(envs).toContain("TWS_SETTINGS_PATH=/settings");
    expect(envs).toContain("IBC_INI=/run/ibc/config.ini");
  });

  it("is healthy once it has logged in, and has five minutes for its nightly restart before it counts as unhealthy", async () => {
    const { healthcheck, envs, waitTimeout } = await production();
    // An `up` gives the second factor as long.
    expect(waitTimeout).toBe(1200);
    expect(healthcheck?.tests?.at(-1)).toContain("/dev/tcp/127.0.0.1/4002");
    expect(healthcheck).toMatchObject({ interval: "30s", retries: 10 });
    expect(envs).toContain("AUTO_RESTART_TIME=04:45 AM");
  });
});

describe("IB Gateway's screen", () => {
  it("is shown to nobody, unless the config says so: without a password the image starts no VNC server", async () => {
    const { envs } = await production();
    expect(envs?.join()).not.toContain("VNC");
  });

  it("is shown with a password of its own where the config says so", async () => {
    const { envs, credentials } = await production({ vncServer: "true" });
    expect(envs).toContain("VNC_SERVER_PASSWORD_FILE=/run/secrets/vnc");
    expect(credentials).toBe("tws-password,tws-userid,vnc");
  });
});
