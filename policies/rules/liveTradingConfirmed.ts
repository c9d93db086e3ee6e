import { environment, label } from "../lib/labels.ts";
import { places } from "../lib/places.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown } from "../lib/value.ts";

const LIVE =
  /\b(LIVE)["']?\s*[=:]\s*["']?(1|true|yes|on)\b|\b(TRADING_MODE)["']?\s*[=:]\s*["']?live\b|--(trading-)?mode[= ]live\b|--live\b(?!=(0|false))/i;

export const liveTradingConfirmed: ResourceRule = {
  name: "live-trading-confirmed",
  title: "Live trading takes two settings, and happens in production only",
  level: "mandatory",
  severity: "critical",
  why: "One mistyped value must not trade real money.",
  mend: "in production set trading.live and trading.liveConfirm (the IB account id); elsewhere trade on paper, LIVE=0",
  types: [CONTAINER],
  *check(subject) {
    const switched = places(subject).filter(
      ({ key, name, text }) => !key.startsWith("labels") && (LIVE.test(text) || LIVE.test(`${name}=${text}`)),
    );
    const confirmed = ["autollm.live", "autollm.liveConfirm"].map((name) => label(subject, name));
    if (switched.length === 0 || confirmed.some((value) => isUnknown(value))) return;
    const [live, account] = confirmed;
    for (const { key } of switched) {
      const where = environment(subject);
      if (where !== "production") yield { key, problem: `switches live trading on in ${where}` };
      else if (live !== "true") yield { key, problem: "switches live trading on without the label autollm.live=true" };
      else if (account === undefined || account === "") {
        yield { key, problem: "switches live trading on without the account id in the label autollm.liveConfirm" };
      }
    }
  },
};
