import type { ResourceRule } from "../lib/rule.ts";
import { LOCALLY_SIGNED, SELF_SIGNED } from "../lib/types.ts";

const DAY_HOURS = 24;
/** The longest that clients accept for a server's certificate. */
const LEAF_DAYS = 825;
/** Ten years and their leap days. */
const CA_DAYS = 3653;

export const certificateLife: ResourceRule = {
  name: "certificate-life",
  title: `A certificate is valid for ${LEAF_DAYS} days at most, an authority for 10 years`,
  level: "mandatory",
  severity: "medium",
  why: "A stolen key works until its certificate expires; Apple's clients refuse longer certificates.",
  fix: "lower validityPeriodHours and set earlyRenewalHours",
  types: [SELF_SIGNED, LOCALLY_SIGNED],
  *check({ props: { validityPeriodHours, isCaCertificate } }) {
    const days = isCaCertificate === true ? CA_DAYS : LEAF_DAYS;
    if (typeof validityPeriodHours === "number" && validityPeriodHours > days * DAY_HOURS) {
      yield { key: "validityPeriodHours", problem: `is more than ${days} days` };
    }
  },
};
