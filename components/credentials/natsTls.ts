import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";

export interface NatsTlsArgs {
  /** A raised generation makes a new authority and a new certificate. */
  readonly generation: string;
}

/** Life of the authority and its certificate: longer than the rotation period of 90 days, so that a late rotation is no outage. */
const LIFE_HOURS = 365 * 24;
/** Renewed by any `up` in the last 30 days of its life. */
const RENEW_HOURS = 30 * 24;

/** The platform's own certificate authority, which signs one certificate: the one of NATS. */
export class NatsTls extends pulumi.ComponentResource {
  readonly "tls-ca": pulumi.Output<string>;
  readonly "tls-certificate": pulumi.Output<string>;
  readonly "tls-key": pulumi.Output<string>;

  constructor(name: string, args: NatsTlsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:credentials:NatsTls", name, {}, opts);
    const fresh = { parent: this, replacementTrigger: args.generation };
    const caKey = new tls.PrivateKey(`${name}-ca-key`, { algorithm: "ECDSA", ecdsaCurve: "P256" }, fresh);
    const ca = new tls.SelfSignedCert(
      `${name}-ca`,
      {
        privateKeyPem: caKey.privateKeyPem,
        isCaCertificate: true,
        allowedUses: ["cert_signing", "crl_signing"],
        subject: { commonName: "AutoLLM Trader NATS authority" },
        validityPeriodHours: LIFE_HOURS,
        earlyRenewalHours: RENEW_HOURS,
      },
      { parent: this },
    );
    const key = new tls.PrivateKey(`${name}-key`, { algorithm: "ECDSA", ecdsaCurve: "P256" }, fresh);
    const request = new tls.CertRequest(
      `${name}-request`,
      {
        privateKeyPem: key.privateKeyPem,
        subject: { commonName: "nats" },
        dnsNames: ["nats", "localhost"],
        ipAddresses: ["127.0.0.1"],
      },
      { parent: this },
    );
    const certificate = new tls.LocallySignedCert(
      `${name}-certificate`,
      {
        caCertPem: ca.certPem,
        caPrivateKeyPem: caKey.privateKeyPem,
        certRequestPem: request.certRequestPem,
        allowedUses: ["digital_signature", "server_auth"],
        validityPeriodHours: LIFE_HOURS,
        earlyRenewalHours: RENEW_HOURS,
      },
      { parent: this },
    );
    this["tls-ca"] = ca.certPem;
    this["tls-certificate"] = certificate.certPem;
    this["tls-key"] = key.privateKeyPem;
    this.registerOutputs({});
  }
}
