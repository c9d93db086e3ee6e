import { tradesAt } from "../../components/credentials/catalogue.ts";
import type { Exchange } from "../../components/credentials/fixed.ts";
import { credentialsOfFile } from "../lib/credentialFiles.ts";
import { label, labelList, service } from "../lib/labels.ts";
import { payloadFiles } from "../lib/payload.ts";
import type { StackFinding, StackRule, StackSubject } from "../lib/rule.ts";
import { COMMANDS, CONTAINER } from "../lib/types.ts";
import { isUnknown, text } from "../lib/value.ts";
import { workloadOfFiles } from "../lib/workloadFiles.ts";

const isCommand = (type: string) => COMMANDS.some((command) => command === type);

/** The files by which a workload could trade at an exchange, whatever its labels say. */
function keysOf({ props }: StackSubject): { readonly path: string; readonly exchange: Exchange }[] {
  return (payloadFiles(text(props.stdin) ?? "") ?? []).flatMap((file) => {
    const exchange = credentialsOfFile(file)
      .map(tradesAt)
      .find((each) => each !== undefined);
    return exchange === undefined ? [] : [{ path: file.path, exchange }];
  });
}

export const exchangeKeysConfirmed: StackRule = {
  name: "exchange-keys-confirmed",
  title: "A key that trades with real money reaches a container only if live trading was confirmed",
  level: "mandatory",
  severity: "critical",
  why: "An application may not distinguish paper from live: only the missing key keeps it from trading.",
  fix: "to trade live, set trading.live and trading.liveConfirm; if the key is of the exchange's sandbox, name the exchange in trading.sandbox; otherwise remove the key",
  *checkStack(subjects): Generator<StackFinding> {
    const containers = subjects.filter(({ type }) => type === CONTAINER);
    for (const subject of subjects.filter(({ type }) => isCommand(type))) {
      const workload = workloadOfFiles(subject.name);
      const keys = workload === undefined ? [] : keysOf(subject);
      if (keys.length === 0) continue;
      const container = containers.find((each) => service(each) === workload);
      const live = container === undefined ? undefined : label(container, "autollm.live");
      if (container !== undefined && (live === "true" || isUnknown(live))) continue;
      const sandbox = (container === undefined ? undefined : labelList(container, "autollm.sandbox")) ?? [];
      for (const { path, exchange } of keys.filter((key) => !sandbox.includes(key.exchange)))
        yield { subject, key: `stdin file ${path}`, problem: `trades at ${exchange}, and ${workload} trades on paper` };
    }
  },
};
