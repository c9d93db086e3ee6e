import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";

/** The addresses of a name; a name is this machine's own where one of them is. */
type Resolve = (name: string) => Promise<readonly string[]>;

const byDns: Resolve = async (name) => (await lookup(name, { all: true, family: 4 })).map(({ address }) => address);

const interfaceAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address));

/**
 * The addresses on which to listen: of each name those that are this machine's own, since a former replica may have the same name
 * for a moment. Without any name, all: `undefined`.
 * @throws when a name has no address here
 */
export async function ownAddresses(
  names: readonly string[],
  resolve: Resolve = byDns,
  own: readonly string[] = interfaceAddresses(),
): Promise<readonly (string | undefined)[]> {
  if (names.length === 0) return [undefined];
  const found = await Promise.all(
    names.map(async (name) => {
      const here = (await resolve(name)).filter((address) => own.includes(address));
      if (here.length === 0) throw new Error(`HTTP_LISTEN: ${name} is no address of this container`);
      return here;
    }),
  );
  return [...new Set(found.flat())];
}
