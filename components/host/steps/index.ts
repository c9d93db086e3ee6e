import type { HostOptions } from "../options.ts";
import { inOrder, type Step } from "../step.ts";
import { accountsStep, undeclaredStep } from "./accounts.ts";
import { auditStep } from "./audit.ts";
import { directoriesStep } from "./directories.ts";
import { engineStep } from "./docker.ts";
import { bansStep } from "./fail2ban.ts";
import { edgeBansStep } from "./fail2banEdge.ts";
import { firewallStep } from "./firewall.ts";
import { kernelStep } from "./kernel.ts";
import { packagesStep } from "./packages.ts";
import { sourcesStep } from "./sources.ts";
import { sshStep } from "./ssh.ts";
import { swapStep } from "./swap.ts";
import { systemStep } from "./system.ts";
import { upgradesStep } from "./upgrades.ts";
import { watchdogStep } from "./watchdog.ts";

/** The whole host, as steps in an order in which each comes after those that it needs. */
export function hostSteps(options: HostOptions): Step[] {
  return inOrder([
    sourcesStep(options),
    packagesStep(options),
    accountsStep(options),
    sshStep(options),
    undeclaredStep(options),
    firewallStep(options),
    bansStep(options),
    auditStep(),
    kernelStep(),
    upgradesStep(options),
    systemStep(),
    swapStep(options),
    engineStep(options),
    directoriesStep(),
    watchdogStep(),
    edgeBansStep(options),
  ]);
}
