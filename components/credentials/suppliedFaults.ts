import { configCommand } from "../configCommand.ts";
import { ownNames } from "../strength/words.ts";
import { type CredentialName, credentialSpec, tradesAt } from "./catalogue.ts";
import { isMade, pairFault, suppliedFault } from "./supplied.ts";

/** The second setting of live trading. */
export const LIVE_CONFIRM = "trading.liveConfirm";

/** How a fault of a supplied value is fixed: what the stack can make itself need not be supplied. */
function suppliedFix(name: CredentialName, stack: string): string {
  const set = configCommand(stack, `set --secret ${name}`);
  return isMade(name)
    ? `let the stack make one: ${configCommand(stack, `rm ${name}`)}; or set a random one of your own: ${set}`
    : `set the real one: ${set}`;
}

/** The faults of the values that the owner supplied. What goes into a hash, a URL or a file later is judged here, in plain text. */
export function suppliedFaults(
  values: ReadonlyMap<CredentialName, string>,
  domains: readonly string[],
  stack: string,
): readonly string[] {
  const own = domains.flatMap(ownNames);
  return [...values].flatMap(([name, value]) => {
    const spec = credentialSpec(name);
    const seed = spec.kind === "signing-public" ? values.get(`${spec.pair}-private`) : undefined;
    const fault = suppliedFault(name, value, own) ?? pairFault(name, value, seed);
    return fault === undefined ? [] : [`${name}: ${fault}; ${suppliedFix(name, stack)}`];
  });
}

/** The faults of the second setting of live trading, which names the account: it is as secret as `ib-account` itself. */
export function confirmFaults(
  { live: isLive, liveConfirm }: { readonly live?: boolean; readonly liveConfirm?: string | undefined },
  account: string | undefined,
  isSecret: boolean,
  stack: string,
): readonly string[] {
  if (liveConfirm === undefined) return [];
  const set = configCommand(stack, `set --secret --path '${LIVE_CONFIRM}'`);
  const faults = isSecret ? [] : [`${LIVE_CONFIRM}: is stored in plain text; set it with: ${set}`];
  if (isLive === true && account !== undefined && liveConfirm.trim() !== account.trim())
    faults.push(`${LIVE_CONFIRM}: is not the account that ib-account names; set it with: ${set}`);
  return faults;
}

/**
 * The faults of keys that could trade with real money while the stack trades on paper. An application may not check whether it
 * is live: only the missing key prevents a trade.
 */
export function paperFaults(
  { live, sandbox = [] }: { readonly live?: boolean; readonly sandbox?: readonly string[] },
  supplied: Iterable<CredentialName>,
  stack: string,
): readonly string[] {
  if (live === true) return [];
  return [...supplied].flatMap((name) => {
    const exchange = tradesAt(name);
    if (exchange === undefined || sandbox.includes(exchange)) return [];
    const remove = configCommand(stack, `rm ${name}`);
    const mark = configCommand(stack, `set --path 'trading.sandbox[${sandbox.length}]' ${exchange}`);
    return [
      `${name}: trades with real money, and this stack trades on paper; remove it: ${remove}; or, if it is a key of ${exchange}'s sandbox: ${mark}`,
    ];
  });
}
