/**
 * The inputs of the npm packages that a built plugin does not know, by resource type: it would ignore them silently.
 * A path stands for all below it. Tests compare this list with the plugins, and see that the program gives none of them.
 */
export const unknownInputs: Readonly<Record<string, readonly string[]>> = {
  "docker:index/container:Container": [
    "cgroupParent",
    "cgroupnsMode",
    "cpuPeriod",
    "cpuQuota",
    "cpus",
    "deviceCgroupRules",
    "deviceReadBps",
    "deviceReadIops",
    "deviceRequests",
    "deviceWriteBps",
    "deviceWriteIops",
    "healthcheck.startInterval",
    "memoryReservation",
    "mounts.volumeOptions.subpath",
    "networksAdvanced.driverOpts",
    "networksAdvanced.gwPriority",
    "networksAdvanced.linkLocalIps",
    "networksAdvanced.macAddress",
    "platform",
    "uploads.group",
    "uploads.owner",
    "uploads.permissions",
    "volumes.selinuxRelabel",
  ],
  "docker:index/network:Network": ["ipamOptions"],
  "docker:index/remoteImage:RemoteImage": ["build", "platform"],
  "docker:index/volume:Volume": ["cluster"],
  "pulumi:providers:docker": ["context", "disableDockerDaemonCheck", "registryAuth.authDisabled"],
  "tls:index/certRequest:CertRequest": ["privateKeyPemWo", "privateKeyPemWoVersion", "subject.emailAddress"],
  "tls:index/locallySignedCert:LocallySignedCert": ["caPrivateKeyPemWo", "caPrivateKeyPemWoVersion", "maxPathLength"],
  "tls:index/selfSignedCert:SelfSignedCert": [
    "maxPathLength",
    "privateKeyPemWo",
    "privateKeyPemWoVersion",
    "subject.emailAddress",
  ],
};

/** Whether a path is among a type's unknown inputs, or lies below one. */
export function isUnknown(type: string, path: string): boolean {
  return (unknownInputs[type] ?? []).some((unknown) => path === unknown || path.startsWith(`${unknown}.`));
}
