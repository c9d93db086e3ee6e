import { type AlertGroup, DAY } from "./alert.ts";

/** A fix is installed at the next declared hour; after this time that hour has passed at least once without it. */
export const MAX_WAIT = 2 * DAY;

/** Security fixes of a host that the stack sets up; other machines are not checked. */
export const fixesAlerts: readonly AlertGroup[] = [
  {
    name: "security fixes",
    alerts: [
      {
        name: "SecurityFixesWaiting",
        expr: `time() - host_security_fixes_oldest_timestamp_seconds > ${MAX_WAIT}`,
        for: "0s",
        severity: "warning",
        service: "host",
        subject: "fixes-{{ $labels.group }}",
        summary: "A security fix has waited for {{ $value | humanizeDuration }} (packages: {{ $labels.group }})",
        description:
          "The daily upgrade did not install it; if `withheld` is yes, the pinned version or a hold keeps it out.",
        needs: "host",
      },
      {
        name: "SecurityFixesUnknown",
        expr: `time() - host_security_checked_timestamp_seconds > ${MAX_WAIT} or absent(host_security_checked_timestamp_seconds)`,
        for: "1h",
        severity: "warning",
        service: "host",
        subject: "fixes-unknown",
        summary: "It is unknown which security fixes the host lacks",
        description: "The package lists were not fetched for two days, or the host's metrics do not arrive.",
        needs: "host",
      },
      {
        name: "RebootRequired",
        expr: "host_reboot_required == 1",
        for: "1h",
        severity: "warning",
        service: "host",
        subject: "reboot",
        summary: "The host needs a reboot for an installed security fix",
        description: "A new kernel or library is installed, but the old one still runs.",
        needs: "host",
      },
    ],
  },
];
