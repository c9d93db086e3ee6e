import { describe, expect, it } from "vitest";
import { refuseTellingLogs } from "../../../tools/lib/engineLogs.ts";

describe("the engine's debugging output, which holds secrets", () => {
  it.each([["-v=9"], ["-v", "9"], ["--verbose=3"], ["--debug"], ["-d"], ["--tracing=file:./up.trace"]])(
    "is refused: %s",
    (...options) => {
      expect(() => refuseTellingLogs(["up", "--yes", ...options], {})).toThrow(/every secret in plain text.*=yes/);
    },
  );

  it("is shown only to an operator who asks for it twice", () => {
    expect(() => refuseTellingLogs(["up", "-v=9"], { AUTOLLM_SECRETS_IN_LOGS: "yes" })).not.toThrow();
  });

  it.each([["up", "--yes", "--diff"], ["version"], ["config", "set", "--path", "a", "--", "-v"]])(
    "is nothing of %s %s",
    (...args) => expect(() => refuseTellingLogs(args, {})).not.toThrow(),
  );
});
