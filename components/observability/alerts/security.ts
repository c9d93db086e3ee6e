import { type AlertGroup, DAY, HOUR } from "./alert.ts";

export const MIN_CERTIFICATE_LIFE = 14 * DAY;
const MAX_EDGE_ERRORS = 0.05;
/** Caddy's own authority signs for 12 hours and renews when a third of them is left. */
export const MIN_INTERNAL_CERTIFICATE_LIFE = 2 * HOUR;

/** The way in, its certificate, and the credentials' age. */
export const securityAlerts: readonly AlertGroup[] = [
  {
    name: "edge",
    alerts: [
      {
        name: "EdgeDown",
        expr: 'probe_success{certificate!=""} == 0',
        for: "1m",
        severity: "critical",
        service: "caddy",
        summary: "{{ $labels.domain }} does not answer",
        description: "From outside, the platform is unreachable.",
      },
      {
        name: "EdgeRouteDown",
        expr: 'probe_success{login="no"} == 0',
        for: "3m",
        severity: "warning",
        service: "caddy",
        subject: "routes",
        summary: "{{ $labels.route }} does not answer at the edge",
        description: "The edge answers, but the service behind this route does not.",
      },
      {
        name: "AdminPageOpen",
        // 0 is no answer at all, which other alerts report.
        expr: 'probe_http_status_code{login="yes"} > 0 < 400',
        for: "1m",
        severity: "critical",
        service: "caddy",
        subject: "login",
        summary: "{{ $labels.route }} answers without the admin login",
        description: "A request without a login got status {{ $value }}.",
      },
      {
        name: "EdgeErrorsHigh",
        expr: `sum(rate(caddy_http_request_duration_seconds_count{code=~"5.."}[5m])) / sum(rate(caddy_http_request_duration_seconds_count[5m])) > ${MAX_EDGE_ERRORS}`,
        for: "5m",
        severity: "warning",
        service: "caddy",
        subject: "errors",
        summary: "The edge answers {{ $value | humanizePercentage }} of requests with an error",
        description:
          "This includes what no service can report itself: a page behind the edge that does not answer (502).",
      },
      {
        name: "CertificateExpiry",
        // The probes of the routes see a certificate as well, and know not whose it is.
        expr: `probe_ssl_earliest_cert_expiry{certificate!="internal",certificate!=""} - time() < ${MIN_CERTIFICATE_LIFE} or probe_ssl_earliest_cert_expiry{certificate="internal"} - time() < ${MIN_INTERNAL_CERTIFICATE_LIFE}`,
        for: "10m",
        severity: "warning",
        service: "caddy",
        subject: "certificate",
        summary: "The certificate of {{ $labels.domain }} expires in {{ $value | humanizeDuration }}",
        description: "Caddy should have renewed it if it obtained it itself; if it was supplied, supply a new one.",
      },
    ],
  },
  {
    name: "credentials",
    alerts: [
      {
        name: "SecretRotationDue",
        expr: "time() - credential_rotated_timestamp_seconds > credential_rotation_period_seconds",
        for: "0s",
        severity: "warning",
        service: "credentials",
        subject: "{{ $labels.name }}",
        summary: "{{ $labels.name }} is {{ $value | humanizeDuration }} old",
        description: "It is older than its rotation period.",
      },
    ],
  },
];
