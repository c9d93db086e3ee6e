import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { configCommand } from "../../components/configCommand.ts";
import { freeRange } from "../../components/networkRange.ts";
import { UserError } from "./log.ts";
import { run } from "./run.ts";
import { setConfig, type Workspace } from "./workspace.ts";

const KEY = "networkRange";

/** What a program prints; nothing where it is missing or fails, since what comes next tells of that better. */
const told = async (program: string, ...args: readonly string[]): Promise<string> =>
  run(program, args, { allowFailure: true }).then(
    ({ stdout }) => stdout,
    () => "",
  );

/** The subnets of the daemon's networks. */
async function dockerSubnets(): Promise<string[]> {
  const stdout = await told("docker", "network", "ls", "--quiet");
  const ids = stdout.split("\n").filter((id) => id !== "");
  if (ids.length === 0) return [];
  const format = "{{range .IPAM.Config}}{{.Subnet}} {{end}}";
  const subnets = await told("docker", "network", "inspect", "--format", format, ...ids);
  return subnets.split(/\s+/).filter((subnet) => subnet !== "");
}

/** The networks that this machine has addresses in or routes to; a machine without `ip` tells its addresses alone. */
async function machineNetworks(): Promise<string[]> {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const stdout = await told("ip", "-json", "-4", "route", "show", "table", "all");
  const routes = JSON.parse(stdout.trim() || "[]") as { dst?: string }[];
  return [
    ...addresses.flatMap(({ cidr }) => (cidr === null ? [] : [cidr])),
    ...routes.flatMap(({ dst }) => (dst === undefined || dst === "default" ? [] : [dst])),
  ];
}

/**
 * Chooses the range of a local stack's networks, once: one that neither the daemon's networks nor this machine's routes use.
 * Which one is tried first follows from the stack, so that two stacks made at the same time do not choose the same.
 * @throws UserError where none is free
 */
export async function ensureNetworkRange(workspace: Workspace): Promise<void> {
  const path = join(workspace.cwd, `Pulumi.${workspace.stack}.yaml`);
  const { config } = parse(readFileSync(path, "utf8")) as { config?: Readonly<Record<string, unknown>> };
  if (config?.[`autollm:${KEY}`] !== undefined) return;
  const start = createHash("sha256").update(path).digest().readUInt32BE();
  const range = freeRange([...(await dockerSubnets()), ...(await machineNetworks())], start);
  if (range === undefined)
    throw new UserError(
      `no range of 10.0.0.0/8 is free for the stack's networks; choose one yourself: ${configCommand(workspace.stack, `set ${KEY} 192.168.0.0/20`)}`,
    );
  await setConfig(workspace, { [KEY]: range });
}
