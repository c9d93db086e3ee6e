/** The subject of approved orders: a service that subscribes to it trades. */
export const APPROVED_ORDERS = "risk.order.approved";

/** Whether a subject, or pattern of subjects, falls within a pattern: `*` is one token, `>` one or more. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  for (const [index, token] of wanted.entries()) {
    if (token === ">") return tokens.length > index;
    const given = tokens[index];
    if (given === undefined || given === ">") return false;
    if (token !== "*" && token !== given) return false;
  }
  return tokens.length === wanted.length;
}

/** Whether a message can fall within both of two patterns. */
export function subjectsMeet(one: string, other: string): boolean {
  const [a, b] = [one.split("."), other.split(".")];
  for (let index = 0; ; index++) {
    const [left, right] = [a[index], b[index]];
    if (left === undefined || right === undefined) return left === right;
    if (left === ">" || right === ">") return true;
    if (left !== right && left !== "*" && right !== "*") return false;
  }
}
