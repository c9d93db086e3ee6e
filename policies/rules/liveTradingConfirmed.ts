import { environment, label } from "../lib/labels.ts";
import { switchesLive } from "../lib/live.ts";
import { isProgram, isScript } from "../lib/payload.ts";
import { type Place, places } from "../lib/places.ts";
import type { Finding, ResourceRule, Subject } from "../lib/rule.ts";
import { COMMANDS, CONTAINER } from "../lib/types.ts";
import { isUnknown } from "../lib/value.ts";

/** The account's keyed hash, as the program writes it into the label. */
const HASH = /^[0-9a-f]{16}$/;

const switches = ({ name, text }: Place) => switchesLive(text) || switchesLive(`${name}=${text}`);

/** A workload's files. What lies in /run/secrets/env becomes a variable of the program, and no label stands beside it. */
function* inFiles(subject: Subject): Generator<Finding> {
  for (const place of places(subject)) {
    const content = place.key.startsWith("stdin file ") && !isProgram(place.name) && !isScript(place.name);
    if (content && switches(place))
      yield {
        key: place.key,
        problem: "switches live trading on in a file, without a confirmation",
        fix: "remove it: trading.live and trading.liveConfirm are the only way",
      };
  }
}

export const liveTradingConfirmed: ResourceRule = {
  name: "live-trading-confirmed",
  title: "Live trading takes two settings, and happens in production only",
  level: "mandatory",
  severity: "critical",
  why: "One mistyped value must not lead to trading with real money.",
  fix: "in production set trading.live and, as a secret, trading.liveConfirm (the account in ib-account); elsewhere trade on paper, LIVE=0",
  types: [CONTAINER, ...COMMANDS],
  *check(subject) {
    if (subject.type !== CONTAINER) {
      yield* inFiles(subject);
      return;
    }
    const [live, account] = ["autollm.live", "autollm.liveConfirm"].map((name) => label(subject, name));
    if (typeof account === "string" && account !== "" && !HASH.test(account)) {
      const fix = "write the account's keyed hash there: every preview shows labels";
      yield { key: "labels autollm.liveConfirm", problem: "is no hash", fix };
    }
    const switched = places(subject).filter((place) => !place.key.startsWith("labels") && switches(place));
    if (isUnknown(live) || isUnknown(account)) return;
    for (const { key } of switched) {
      const where = environment(subject);
      if (where !== "production") yield { key, problem: `switches live trading on in ${where}` };
      else if (live !== "true") yield { key, problem: "switches live trading on without the label autollm.live=true" };
      else if (account === undefined || account === "") {
        yield { key, problem: "switches live trading on without the account's hash in the label autollm.liveConfirm" };
      }
    }
  },
};
