import { overdue, stackEnvironment } from "../lib/rotation.ts";
import type { StackRule } from "../lib/rule.ts";

export const rotationDue: StackRule = {
  name: "rotation-due",
  title: "In local and staging, a credential older than its rotation period is reported",
  level: "advisory",
  severity: "low",
  why: "Staging shows whether rotation works before production depends on it.",
  fix: "rotate it: ./autollm rotate --due",
  checkStack: (subjects) => (stackEnvironment(subjects) === "production" ? [] : overdue(subjects, Date.now())),
};
