import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { z } from "zod";

/** A host name at which the edge answers. */
export interface Domain {
  readonly name: string;
  /** The supplied certificate with the chain that signed it, as PEM; absent where Caddy gets one itself. */
  readonly chain?: string;
}

/** Where the edge answers: first where the platform is known, and its own links lead. */
export type Domains = readonly [Domain, ...Domain[]];

/** A host name in lower case: labels of letters, digits and hyphens (RFC 1123, 2.1). */
export const HOST_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
/** The least size of an RSA key, in bits (CA/Browser Forum, Baseline Requirements, 6.1.5). */
const MIN_RSA_BITS = 2048;

/** The certificates of a PEM text in their order; none where one of them cannot be read. */
function certificatesOf(chain: string): readonly X509Certificate[] {
  try {
    return (chain.match(PEM_CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
  } catch {
    return [];
  }
}

/** The last certificate of a chain: who trusts it, trusts the whole. */
export const signerOf = (chain: string): string => chain.match(PEM_CERTIFICATE)?.at(-1) ?? "";

/** Whether a chain's own certificate is one of that host name. */
export const covers = (chain: string, name: string): boolean =>
  certificatesOf(chain)[0]?.checkHost(name, { subject: "never" }) !== undefined;

/** What is wrong with a chain as the certificate of a host name; undefined when nothing is. */
function chainFault(name: string, chain: string): string | undefined {
  if (chain.includes("PRIVATE KEY")) return "has a private key in it, which belongs into `key`, as a secret";
  const certificates = certificatesOf(chain);
  const [own] = certificates;
  if (own === undefined) return "must be a certificate and the chain that signed it, as PEM, its own first";
  if (!covers(chain, name))
    return `is for ${own.subjectAltName?.replaceAll(/\w+:/g, "") ?? "no host name"}, not for ${name}`;
  const unsigned = certificates.findIndex((each, index) => {
    const signer = certificates[index + 1];
    return signer !== undefined && !(each.checkIssued(signer) && each.verify(signer.publicKey));
  });
  if (unsigned >= 0) return `is out of order: certificate ${unsigned + 2} has not signed certificate ${unsigned + 1}`;
  // Browsers refuse it as well, so the platform is away for its users: the sooner somebody is told, the better.
  if (new Date(own.validTo) <= new Date()) return `ended on ${own.validTo}`;
  if (new Date(own.validFrom) > new Date()) return `begins on ${own.validFrom}`;
  const bits =
    own.publicKey.asymmetricKeyType === "rsa" ? own.publicKey.asymmetricKeyDetails?.modulusLength : undefined;
  return bits === undefined || bits >= MIN_RSA_BITS
    ? undefined
    : `has an RSA key of ${bits} bits; ${MIN_RSA_BITS} is the least`;
}

/** What is wrong with the private key of a chain's own certificate; undefined when nothing is. */
function keyFault(key: string, chain: string): string | undefined {
  if (key.includes("ENCRYPTED"))
    return "is encrypted with a passphrase: store it without one, as the config encrypts it";
  try {
    const privateKey = createPrivateKey(key);
    const [own] = certificatesOf(chain);
    return own === undefined || own.checkPrivateKey(privateKey) ? undefined : "does not belong to the certificate";
  } catch {
    return "must be the certificate's private key, as PEM";
  }
}

/** The faults of one entry, by its field. */
function entryFaults(name: string, { certificate, key }: Readonly<Record<string, string | undefined>>) {
  if (certificate === undefined && key === undefined) return [];
  if (certificate === undefined)
    return [["certificate", "is missing, and a key is there; without both, Caddy gets one"]];
  const missing = "is missing, and a certificate is there; without both, Caddy gets one";
  return [
    ["certificate", chainFault(name, certificate)],
    ["key", key === undefined ? missing : keyFault(key, certificate)],
  ];
}

const entry = z.strictObject({ certificate: z.string().optional(), key: z.string().optional() });

/** `domains` of the stack's config. The keys are judged, and left out: the program takes them as a secret. */
export const domainsSchema = z
  .record(z.string().regex(HOST_NAME, "must be a host name in lower case, such as trader.example.com"), entry)
  .superRefine((value, context) => {
    for (const [name, fields] of Object.entries(value)) {
      for (const [field = "", message] of entryFaults(name, fields))
        if (message !== undefined) context.addIssue({ code: "custom", path: [name, field], message });
    }
  })
  .transform((value) =>
    Object.fromEntries(
      Object.entries(value).map(([name, { certificate }]) => [name, certificate === undefined ? {} : { certificate }]),
    ),
  );

/** Every host name at which the edge answers. */
export function domainsOf({
  domain,
  domains,
}: {
  readonly domain: string;
  readonly domains: z.infer<typeof domainsSchema>;
}): Domains {
  const one = (name: string): Domain => {
    const chain = domains[name]?.certificate;
    return chain === undefined ? { name } : { name, chain };
  };
  const further = Object.keys(domains).filter((name) => name !== domain);
  return [one(domain), ...further.sort().map(one)];
}

/** Where a supplied certificate lies among Caddy's files. Another certificate has another name, so that Caddy takes it: it reads none again whose path stays. */
export function certificateFiles({ name, chain = "" }: Domain): { readonly certificate: string; readonly key: string } {
  const base = `secrets/${name}-${createHash("sha256").update(chain).digest("hex").slice(0, 16)}`;
  return { certificate: `${base}.crt`, key: `${base}.key` };
}
