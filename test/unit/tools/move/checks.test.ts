import { describe, expect, it } from "vitest";
import { newHostFaults, readNewHost } from "../../../../tools/lib/move/checks.ts";

const said = (system: string, architecture: string, free: number, containers: number) =>
  `system ${system}\narchitecture ${architecture}\nfree ${free}\ncontainers ${containers}\n`;

describe("a machine that is to become the host", () => {
  it("is taken if it is a bare Debian 13 with room", () => {
    expect(newHostFaults(readNewHost(said("debian 13", "arm64", 2000, 0)), 2000)).toEqual([]);
  });

  it("is refused with all that is wrong at once", () => {
    const faults = newHostFaults(readNewHost(said("ubuntu 24.04", "riscv64", 1999, 38)), 2000);
    expect(faults.map((fault) => fault.split(/[:,]/)[0])).toEqual([
      "it runs ubuntu 24.04",
      "its processor is riscv64",
      expect.stringContaining("are free on /var/lib"),
      "it has 38 containers of a stack of this program",
    ]);
  });
});
