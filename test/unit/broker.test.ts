import { describe, expect, it } from "vitest";
import { runProduction } from "./lib/platform.ts";

/** What the container of IB Gateway is given: its environment, and the names in its label of credentials. */
async function ibGateway(config: Readonly<Record<string, string>>) {
  const platform = await runProduction(config);
  const [, container] = platform.containers.find(([name]) => name === "ib-gateway") ?? [];
  const labels = new Map((container?.labels ?? []).map(({ label, value }) => [label, value]));
  return { envs: container?.envs ?? [], credentials: labels.get("autollm.credentials") };
}

describe("IB Gateway's screen", () => {
  it("is shown to nobody, unless the config says so: without a password the image starts no VNC server", async () => {
    const { envs, credentials } = await ibGateway({});
    expect(envs.join()).not.toContain("VNC");
    expect(credentials).toBe("tws-password,tws-userid");
  });

  it("is shown with a password of its own where the config says so", async () => {
    const { envs, credentials } = await ibGateway({ vncServer: "true" });
    expect(envs).toContain("VNC_SERVER_PASSWORD_FILE=/run/secrets/vnc");
    expect(credentials).toBe("tws-password,tws-userid,vnc");
  });
});
