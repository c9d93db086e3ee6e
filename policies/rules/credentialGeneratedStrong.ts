import { isSecretName } from "../../components/strength/secretNames.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { RANDOM_BYTES, RANDOM_PASSWORD } from "../lib/types.ts";
import type { Props } from "../lib/value.ts";

/** Bits of entropy that a generated credential has at least. 12 letters and digits have 71. */
const MIN_BITS = 64;
/** The kinds of characters of a RandomPassword, each on by default, and how many there are of it. */
const KINDS = { lower: 26, upper: 26, numeric: 10, special: 20 } as const;
/** Their values are no secrets to the engine: they show in plain text in every preview and in the state. */
const SHOWN = ["String", "Id", "Pet", "Integer", "Uuid", "Shuffle"].map(
  (kind) => `random:index/random${kind}:Random${kind}`,
);

function alphabet(props: Props): number {
  return Object.entries(KINDS).reduce((size, [kind, count]) => size + (props[kind] === false ? 0 : count), 0);
}

export const credentialGeneratedStrong: ResourceRule = {
  name: "credential-generated-strong",
  title: `A generated credential has ${MIN_BITS} bits or more, and is a secret to the engine`,
  level: "mandatory",
  severity: "high",
  why: "A generated value is only as strong as its length; RandomString and similar resources are stored and shown in plain text.",
  fix: "use RandomPassword with length 16 or more, or RandomBytes with length 16 or more",
  types: [RANDOM_PASSWORD, RANDOM_BYTES, ...SHOWN],
  *check({ type, name, props }) {
    if (SHOWN.includes(type)) {
      if (isSecretName(name)) yield { key: "type", problem: "makes a credential that is shown in plain text" };
      return;
    }
    const { length } = props;
    if (typeof length !== "number") return;
    const bits = type === RANDOM_BYTES ? length * 8 : length * Math.log2(Math.max(alphabet(props), 1));
    if (bits < MIN_BITS) yield { key: "length", problem: `makes fewer than ${MIN_BITS} bits` };
  },
};
