import { uidOf } from "../../components/uids.ts";
import { waived } from "../waivers.ts";
import { sharing } from "./declared.ts";

/** Whether a workload may be in a further group: it has a waiver, or is the group of a service whose volume it is declared to share. */
export function mayJoin(workload: string, group: string): boolean {
  if (waived("container-user-own", workload, group)) return true;
  return sharing().some(({ service, owner }) => service === workload && String(uidOf(owner)) === group);
}
