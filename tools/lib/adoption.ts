import { parseEnv } from "node:util";
import { type CredentialName, serviceNeeds } from "../../components/credentials/catalogue.ts";
import { suppliedFault } from "../../components/credentials/supplied.ts";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { fixedDelivery } from "../../components/platform/delivery.ts";

/** What an old variable becomes: a credential of the stack, the same value for several, or the content of the file that it names. */
type Target = { readonly credentials: readonly CredentialName[]; readonly file?: true };

const one = (name: CredentialName): Target => ({ credentials: [name] });
const keyFile = (name: CredentialName): Target => ({ credentials: [name], file: true });

/** What the services are given as a variable is called as it was. */
const delivered = Object.entries(fixedDelivery).flatMap(([name, delivery]) =>
  "env" in delivery ? [[delivery.env, one(name as CredentialName)] as const] : [],
);

/** The variables of the old installation that hold a secret, by what they become. */
export const adoptable: Readonly<Record<string, Target>> = {
  ...Object.fromEntries(delivered),
  // The old database had one role for all; each service's own role begins with its password.
  POSTGRES_PASSWORD: {
    credentials: serviceNames
      .filter((service) => serviceNeeds(service, "postgres"))
      .map((service) => `postgres-${service}` as const),
  },
  GF_SECURITY_ADMIN_PASSWORD: one("grafana-admin"),
  VNC_SERVER_PASSWORD: one("vnc"),
  TWS_USERID: one("tws-userid"),
  TWS_PASSWORD: one("tws-password"),
  LLM_SIGNING_PRIVATE_KEY_PATH: keyFile("llm-signing-private"),
  RISK_SIGNING_PRIVATE_KEY_PATH: keyFile("risk-signing-private"),
  SLACK_WEBHOOK_URL: one("slack-webhook"),
  PAGERDUTY_ROUTING_KEY: one("pagerduty-key"),
  PAGERDUTY_SERVICE_KEY: one("pagerduty-key"),
  AWS_ACCESS_KEY_ID: one("s3-access-key"),
  AWS_SECRET_ACCESS_KEY: one("s3-secret-key"),
};

/** Why a variable is not taken, where more is to be said than that nothing here reads it. */
const IGNORED: Readonly<Record<string, string>> = {
  LIVE: "a stack trades on paper until trading.live and trading.liveConfirm are set",
  TRADING_MODE: "a stack trades on paper until trading.live and trading.liveConfirm are set",
  REDIS_PASSWORD: "each service has a Redis user of its own, and the stack makes their passwords",
  REDIS_URL: "made from the parts, with each service's own user and password",
  DATABASE_URL: "made from the parts; its password is POSTGRES_PASSWORD's",
  LLM_PUBLIC_KEY_PATH: "follows from the private key",
  RISK_PUBLIC_KEY_PATH: "follows from the private key",
};

export interface Taken {
  readonly variable: string;
  readonly credential: CredentialName;
  readonly value: string;
}

export interface Adoption {
  readonly taken: readonly Taken[];
  /** Variables that nothing was made of, each with the reason. */
  readonly ignored: readonly { readonly variable: string; readonly why: string }[];
  /** What must be mended before anything is taken. No value is part of it. */
  readonly faults: readonly string[];
}

const MEND =
  "put a strong value into the old installation first, or take the line out and let the stack make or lack it";

/**
 * Reads an old installation's variables.
 * @param text the file's text, in dotenv's format
 * @param readFile answers the text of a file that a variable names, or undefined
 */
export function adoption(text: string, readFile: (path: string) => string | undefined): Adoption {
  const taken: Taken[] = [];
  const ignored: { variable: string; why: string }[] = [];
  const faults: string[] = [];
  for (const [variable, raw] of Object.entries(parseEnv(text))) {
    const target = adoptable[variable];
    const given = (raw ?? "").trim();
    if (target === undefined) {
      ignored.push({ variable, why: IGNORED[variable] ?? "nothing here reads it" });
      continue;
    }
    if (given === "") {
      ignored.push({ variable, why: "is empty" });
      continue;
    }
    const value = target.file === true ? readFile(given)?.trim() : given;
    if (value === undefined) {
      faults.push(`${variable}: names a file that cannot be read: mend the path, or take the line out`);
      continue;
    }
    const found = new Set(target.credentials.map((credential) => suppliedFault(credential, value)));
    found.delete(undefined);
    for (const fault of found) faults.push(`${variable}: ${fault}; ${MEND}`);
    if (found.size > 0) continue;
    for (const credential of target.credentials) {
      const rival = taken.find((each) => each.credential === credential);
      if (rival === undefined) taken.push({ variable, credential, value });
      else if (rival.value !== value)
        faults.push(`${variable}: says another ${credential} than ${rival.variable}; take one of them out`);
    }
  }
  return { taken, ignored, faults };
}
