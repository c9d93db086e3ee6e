import { ROTATION_DAYS } from "../../credentials/fixed.ts";
import { type AlertGroup, DAY, HOUR } from "./alert.ts";

const MIN_CERTIFICATE_LIFE = 14 * DAY;
/** Caddy's own authority signs for 12 hours and renews when a third of them is left. */
const MIN_INTERNAL_CERTIFICATE_LIFE = 2 * HOUR;

/** When a credential got its present value, in seconds since 1970, by label `credential`. */
export const CREDENTIAL_ROTATED = "credential:rotated_timestamp_seconds";

/** The way in, its certificate, and the credentials' age. */
export const securityAlerts: readonly AlertGroup[] = [
  {
    name: "edge",
    alerts: [
      {
        name: "EdgeDown",
        expr: 'probe_success{job="edge"} == 0',
        for: "1m",
        severity: "critical",
        service: "caddy",
        summary: "{{ $labels.instance }} does not answer",
        description: "From outside, the platform is not there.",
      },
      {
        name: "CertificateExpiry",
        expr: `probe_ssl_earliest_cert_expiry{certificate!="internal"} - time() < ${MIN_CERTIFICATE_LIFE} or probe_ssl_earliest_cert_expiry{certificate="internal"} - time() < ${MIN_INTERNAL_CERTIFICATE_LIFE}`,
        for: "10m",
        severity: "warning",
        service: "caddy",
        subject: "certificate",
        summary: "The certificate of {{ $labels.instance }} ends in {{ $value | humanizeDuration }}",
        description: "Caddy renews by itself, and has not.",
      },
    ],
  },
  {
    name: "credentials",
    alerts: [
      {
        name: "SecretRotationDue",
        expr: `time() - ${CREDENTIAL_ROTATED} > ${ROTATION_DAYS * DAY}`,
        for: "0s",
        severity: "warning",
        service: "credentials",
        subject: "{{ $labels.credential }}",
        summary: "{{ $labels.credential }} is {{ $value | humanizeDuration }} old",
        description: `A credential is rotated every ${ROTATION_DAYS} days.`,
      },
    ],
  },
];
