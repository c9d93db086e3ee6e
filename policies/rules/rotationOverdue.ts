import { overdue, stackEnvironment } from "../lib/rotation.ts";
import type { StackRule } from "../lib/rule.ts";

export const rotationOverdue: StackRule = {
  name: "rotation-overdue",
  title: "In production, no credential is older than its rotation period",
  level: "mandatory",
  severity: "high",
  why: "A credential that leaked unnoticed works until it is replaced.",
  fix: "rotate it: ./autollm rotate --due",
  checkStack: (subjects) => (stackEnvironment(subjects) === "production" ? overdue(subjects, Date.now()) : []),
};
