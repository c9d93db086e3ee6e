import { createRequire } from "node:module";

/** The SDK's module that turns a resource's properties, as they came over the wire, into plain data. */
interface Decoder {
  deserializeProperties(struct: object, proxySecrets: boolean): Readonly<Record<string, unknown>>;
}

const decoder = createRequire(import.meta.url)("@pulumi/policy/deserialize") as Decoder;
const decode = decoder.deserializeProperties;
const decoded = new WeakMap<object, Readonly<Record<string, unknown>>>();

// The SDK (1.21.0) decodes all properties again for each policy, though policies only read: with this pack's about 50 rules that
// is 50 times per resource, and was most of the pack's processor time. Remediations get copies of their own, as they write.
decoder.deserializeProperties = (struct, proxySecrets) => {
  if (proxySecrets) return decode(struct, proxySecrets);
  const known = decoded.get(struct) ?? decode(struct, proxySecrets);
  decoded.set(struct, known);
  return known;
};

/** The object behind the SDK's proxy, which is the same for all policies; undefined for one that is no proxy. */
export function behindProxy(props: object): object | undefined {
  // The name by which the SDK itself asks its proxies.
  return (props as { readonly __getSpecialProxyTarget?: object }).__getSpecialProxyTarget;
}
