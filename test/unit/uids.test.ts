import { beforeAll, describe, expect, it } from "vitest";
import { images } from "../../components/images.ts";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { IB_GATEWAY_IMAGE, readableGroups, takenUids, UIDS, workloadUser } from "../../components/uids.ts";
import { CONTAINER, type Recording } from "./lib/mocks.ts";
import { localConfig, runPlatform } from "./lib/platform.ts";
import { randomText } from "./lib/values.ts";

const login = { "tws-userid": randomText(12), "tws-password": randomText(24) };

let stacks: Readonly<Record<string, Recording>>;
beforeAll(async () => {
  stacks = {
    "with the stand-ins": await runPlatform(),
    "with IB Gateway's own image": await runPlatform({
      config: { ...localConfig, ...login, imageSource: "registry" },
      secretKeys: Object.keys(login),
    }),
  };
  // Two whole platforms.
}, 180_000);

describe("the numbers of the workloads", () => {
  const taken = Object.entries(takenUids());

  it("are each given once", () => {
    const numbers = taken.map(([, uid]) => uid);
    expect(numbers.filter((uid, index) => numbers.indexOf(uid) !== index)).toEqual([]);
  });

  it("are whole, and of the range that nobody else on a host uses", () => {
    // Debian's own accounts, its logins, its and systemd's reserves, and what a login may give to its containers.
    expect(UIDS.first).toBeGreaterThan(65_535);
    expect(UIDS.last).toBeLessThan(100_000);
    for (const [name, uid] of taken) {
      expect(Number.isInteger(uid), name).toBe(true);
      expect(uid, name).toBeGreaterThanOrEqual(UIDS.first);
      expect(uid, name).toBeLessThanOrEqual(UIDS.last);
    }
  });

  it("are there for every service", () => {
    expect(serviceNames.map((name) => workloadUser(name)).every((user) => /^7\d{4}:7\d{4}$/.test(user))).toBe(true);
  });

  it("are missing for a stranger, and the error says where to give one", () => {
    expect(() => workloadUser("stranger")).toThrow(/^stranger has no uid: .*components\/parts\.ts .*/);
  });

  it("are the image's own where it takes no other", () => {
    expect(workloadUser("postgres")).toBe(images.postgres.user);
    expect(IB_GATEWAY_IMAGE.user).toBe(images["ib-gateway"].user);
  });
});

describe.each(["with the stand-ins", "with IB Gateway's own image"])("a stack %s", (stack) => {
  const containers = () => (stacks[stack] as Recording).ofType(CONTAINER);

  const isGuard = ({ name }: { readonly name: string }) => name.endsWith("-guard");

  it("has no two containers with the same user or group, besides a workload and its guard", () => {
    const users = containers()
      .filter((each) => !isGuard(each))
      .map(({ inputs }) => String(inputs.user));
    for (const user of users) expect(user).toMatch(/^\d+:\d+$/);
    for (const part of [0, 1]) {
      // Root keeps nobody out by its number; the policies have a reason for each that has it.
      const numbers = users.map((user) => user.split(":")[part]).filter((number) => part === 1 || number !== "0");
      expect(numbers.filter((number, index) => numbers.indexOf(number) !== index)).toEqual([]);
    }
  });

  it("gives a guard its workload's user, that one's volume, and nothing else", () => {
    const guards = containers().filter(isGuard);
    expect(guards).toHaveLength(3);
    for (const { name, inputs } of guards) {
      const workload = containers().find((each) => each.name === name.replace(/-guard$/, ""))?.inputs ?? {};
      const volumes = ({ mounts }: typeof workload) =>
        (mounts as readonly { type: string; source: string }[]).filter(({ type }) => type === "volume");
      expect(inputs.user, name).toBe(workload.user);
      expect(volumes(inputs), name).toEqual(volumes(workload));
      expect(inputs, name).toMatchObject({ networkMode: "none", networksAdvanced: [], capabilities: { adds: [] } });
      const labels = inputs.labels as readonly { label: string; value: string }[];
      expect(labels.find(({ label }) => label === "autollm.credentials")?.value, name).toBe("");
    }
  });

  it("runs each workload as the user of its row", () => {
    for (const { name, inputs } of containers()) {
      const own = name === "ib-gateway" && stack !== "with the stand-ins" ? IB_GATEWAY_IMAGE.user : workloadUser(name);
      expect(inputs.user, name).toBe(own);
    }
  });

  it("has one container in others' groups, which reads their volumes", () => {
    const grouped = containers().filter(({ inputs }) => inputs.groupAdds !== undefined);
    expect(grouped.map(({ name }) => name)).toEqual(["backup"]);
    expect(grouped[0]?.inputs.groupAdds).toEqual(readableGroups.map(String).sort());
  });
});
