import { describe, expect, it } from "vitest";
import { type Inspected, likeArgs } from "../../../tools/lib/oneRun.ts";

const batch: Inspected = {
  Image: "sha256:1",
  Config: {
    User: "70111:70111",
    Env: ["TZ=UTC", 'RISK={"a": 1}'],
    Entrypoint: ["/bin/sh"],
    Cmd: ["/run/autollm/start.sh", "python", "-m", "app"],
  },
  HostConfig: {
    ...{ ReadonlyRootfs: true, Init: true, CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges:true"], GroupAdd: null },
    ...{ Memory: 1_073_741_824, MemorySwap: 1_073_741_824, CpuShares: 1024, PidsLimit: 256, NetworkMode: "none" },
    Tmpfs: { "/tmp": "rw,size=64" },
    Mounts: [
      { Type: "bind", Source: "/files/x", Target: "/run/autollm", ReadOnly: true },
      { Type: "volume", Source: "reports-1", Target: "/reports", VolumeOptions: { NoCopy: true } },
    ],
  },
  NetworkSettings: { Networks: { none: {} } },
};

describe("one more run of a batch job", () => {
  const line = likeArgs(batch, "once", "mine", ["BTC-USD", "--note", "it's $HOME"]);

  it("adds its words to the command of the job's entry, each as it stands", () => {
    expect(line.slice(line.indexOf("--entrypoint"))).toEqual([
      ...["--entrypoint", "/bin/sh", "sha256:1", "/run/autollm/start.sh", "python", "-m", "app"],
      ...["BTC-USD", "--note", "it's $HOME"],
    ]);
  });

  it("is as confined as the job, writes where that does, and is not taken for it", () => {
    const text = line.join(" ");
    for (const part of [
      "create --rm --name once --label autollm.stack=mine --network none --user 70111:70111 --read-only --init",
      "--cap-drop ALL --security-opt no-new-privileges:true",
      "--memory 1073741824 --memory-swap 1073741824 --cpu-shares 1024 --pids-limit 256",
      "--tmpfs /tmp:rw,size=64",
      "--mount type=bind,source=/files/x,target=/run/autollm,readonly",
      "--mount type=volume,source=reports-1,target=/reports,volume-nocopy",
    ])
      expect(text).toContain(part);
    expect(text).not.toContain("autollm.service");
  });

  it("joins a network where the job does", () => {
    const out = {
      ...batch,
      HostConfig: { ...batch.HostConfig, NetworkMode: "bridge" },
      NetworkSettings: { Networks: { "segment-egress-1": {} } },
    };
    expect(likeArgs(out, "once", "mine", []).join(" ")).toContain("--network segment-egress-1 ");
  });
});
