import { beforeAll, describe, expect, it } from "vitest";
import type { Recording } from "./lib/mocks.ts";
import { runProduction } from "./lib/platform.ts";

/** What an image does unless it is told otherwise, and how it is told. */
interface MustSet {
  readonly workload: string;
  /** The default that would be in force. */
  readonly otherwise: string;
  /** A file of the workload, and what stands in it. */
  readonly file: readonly [path: string, text: RegExp];
}

const ini = (workload: string, otherwise: string, text: RegExp): MustSet => ({
  workload,
  otherwise,
  file: ["etc-autollm/grafana.ini", text],
});

/** Every default of an image that an outsider could know and use. */
const mustSet: readonly MustSet[] = [
  ini("grafana", "a secret key that is published", /^secret_key = \$__file\{\/run\/secrets\/grafana-secret\}$/m),
  ini("grafana", "the password admin", /^admin_password = \$__file\{\/run\/secrets\/grafana-admin\}$/m),
  ini(
    "grafana",
    "its administrator barred by wrong logins of others",
    /^disable_brute_force_login_protection = true$/m,
  ),
  ini("grafana", "mail addresses told to gravatar.com", /^disable_gravatar = true$/m),
  ini("grafana", "cookies over plain HTTP", /^cookie_secure = true$/m),
  ini(
    "grafana",
    "visitors without a login, and its version for them",
    /^\[auth\.anonymous\]\nenabled = false\nhide_version = true$/m,
  ),
  ini("grafana", "accounts for all who ask", /^\[users\]\nallow_sign_up = false\nallow_org_create = false$/m),
  ini(
    "grafana",
    "snapshots that need no login, at its vendor's too",
    /^\[snapshots\]\nenabled = false\nexternal_enabled = false$/m,
  ),
  ini("grafana", "dashboards that need no login", /^\[public_dashboards\]\nenabled = false$/m),
  ini("grafana", "plugins that are installed from its pages", /^plugin_admin_enabled = false$/m),
  ini("grafana", "identity providers that are set up in its pages", /^\[sso_settings\]\nconfigurable_providers = $/m),
  ini("grafana", "reports to its vendor", /^reporting_enabled = false$/m),
  {
    workload: "caddy",
    otherwise: "its admin interface in every network",
    file: ["Caddyfile", /^\tadmin 127\.0\.0\.1:2019$/m],
  },
  {
    workload: "caddy",
    otherwise: "an answer with its name for every host",
    file: ["Caddyfile", /^http:\/\/ \{$[\s\S]*misdirected[\s\S]*^https:\/\/ \{$[\s\S]*misdirected/m],
  },
  {
    workload: "postgres",
    otherwise: "a superuser without a password",
    file: ["etc-autollm/start.sh", /--auth=reject /],
  },
  {
    workload: "redis",
    otherwise: "a user with every right and no password",
    file: ["etc-autollm/redis.conf", /^aclfile /m],
  },
  {
    workload: "nats",
    otherwise: "clients without a login",
    file: ["etc-autollm/nats.conf", /^include .*users\.conf"$/m],
  },
];

describe("no known default is in force", () => {
  let platform: Recording;
  beforeAll(async () => {
    platform = await runProduction();
  });

  it.each(mustSet)("of $workload: $otherwise", ({ workload, file: [path, text] }) => {
    expect(platform.files(workload)[path]).toMatch(text);
  });

  it("of Grafana: its secret key and password are generated, each of its own", () => {
    const files = platform.files("grafana");
    const [secret, password] = [files["run-secrets/grafana-secret"], files["run-secrets/grafana-admin"]];
    for (const value of [secret, password]) expect(value?.length).toBeGreaterThan(40);
    expect(secret).not.toBe(password);
  });
});
