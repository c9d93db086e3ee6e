import type { ResourceRule } from "../lib/rule.ts";
import { PRIVATE_KEY } from "../lib/types.ts";
import { isUnknown, text } from "../lib/value.ts";

const MIN_RSA_BITS = 3072;
const CURVES = ["P256", "P384", "P521"];

export const keySize: ResourceRule = {
  name: "key-size",
  title: `A key is ED25519, ECDSA on P256 or above, or RSA with ${MIN_RSA_BITS} bits or more`,
  level: "mandatory",
  severity: "medium",
  why: "The provider's own defaults, RSA 2048 and ECDSA P224, are below what NIST SP 800-57 requires beyond 2030.",
  fix: `set algorithm ED25519, or ecdsaCurve P256, or rsaBits ${MIN_RSA_BITS}`,
  types: [PRIVATE_KEY],
  *check({ props: { algorithm, rsaBits, ecdsaCurve } }) {
    if (algorithm === "RSA" && !isUnknown(rsaBits) && !(typeof rsaBits === "number" && rsaBits >= MIN_RSA_BITS)) {
      yield { key: "rsaBits", problem: `is below ${MIN_RSA_BITS}` };
    }
    if (algorithm === "ECDSA" && !isUnknown(ecdsaCurve) && !CURVES.includes(text(ecdsaCurve) ?? "P224")) {
      yield { key: "ecdsaCurve", problem: "is below P256" };
    }
  },
};
