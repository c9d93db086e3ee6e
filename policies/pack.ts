import "../components/plainStackTraces.ts";
import { PolicyPack } from "@pulumi/policy";
import { toPolicies } from "./lib/pack.ts";
import { rules } from "./rules/index.ts";

new PolicyPack("autollm", { policies: toPolicies(rules) });
