import { describe, expect, it } from "vitest";
import { startLine } from "../../../tools/lib/tellStarts.ts";

describe("an update that waits for a container", () => {
  const postgres = { name: "postgres-1", status: "Up 4 minutes (health: starting)", restarts: 0 };

  it("prints the last log line of a slow start", () => {
    expect(startLine({ ...postgres, says: "LOG:  redo in progress, elapsed time: 230.00 s" })).toBe(
      "    postgres-1 is still starting, Up 4 minutes (health: starting): LOG:  redo in progress, elapsed time: 230.00 s",
    );
    expect(startLine({ ...postgres, says: "" })).toBe(
      "    postgres-1 is still starting, Up 4 minutes (health: starting)",
    );
  });

  it("distinguishes a start that ends again and again from a slow one", () => {
    expect(startLine({ ...postgres, status: "Restarting (1) 5 seconds ago", restarts: 6, says: "FATAL" })).toBe(
      "    postgres-1 has ended 6 times at its start, and will not get better by waiting (^C ends this): FATAL",
    );
  });
});
