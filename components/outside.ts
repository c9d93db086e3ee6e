import { isIP } from "node:net";
import { z } from "zod";
import { closedRange, isPrivate, type PrivateDestination } from "./host/egress.ts";

/**
 * What the services call outside of the stack, as the stack's config names it. None of it is a secret: a server's name opens
 * nothing without its login, which is a credential, and with a plain value a pull request shows the recipients of the reports.
 */

const NAME = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$/;

/** What is wrong with a host that containers are to reach; undefined when nothing is. */
function hostFault(host: string): string | undefined {
  if (isIP(host) === 0 && !NAME.test(host)) return "must be a host name or an IP address, such as smtp.example.com";
  if (/^localhost\.?$/i.test(host) || /^(127\.|::1$)/.test(host))
    return "is the container itself, inside a container: use the machine's name in the network";
  const range = isIP(host) === 0 ? undefined : closedRange(host);
  return range === undefined ? undefined : `is in ${range}, which stays closed to containers`;
}

const refined = (fault: (value: string) => string | undefined) =>
  z.string().superRefine((value, context) => {
    const message = fault(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });

/** The host and the port of `host`, `host:port` or a URL by http or https; undefined for anything else. */
function placeOf(text: string): { readonly host: string; readonly port?: number } | undefined {
  const url = /^https?:\/\//.test(text) ? text : `tcp://${text}`;
  if (!URL.canParse(url)) return undefined;
  const { hostname, port, username, password, pathname, search, hash, protocol } = new URL(url);
  if (username !== "" || password !== "" || search !== "" || hash !== "") return undefined;
  if (protocol === "tcp:" && pathname !== "") return undefined;
  const usual = { "http:": 80, "https:": 443 }[protocol];
  const known = port === "" ? usual : Number(port);
  return { host: hostname.replace(/^\[|\]$/g, ""), ...(known === undefined ? {} : { port: known }) };
}

function addressFault(text: string): string | undefined {
  const place = placeOf(text);
  if (place === undefined || place.host === "")
    return "must be HOST, HOST:PORT or a URL by http or https, without a login: freqtrade.example.com:8080";
  return hostFault(place.host);
}

/** `mail` of the stack's config: the server that the reporter sends its mail to, and the recipients. Nothing of it has a default. */
export const mailSchema = z.strictObject({
  /** Host name or address of the SMTP server. */
  host: refined(hostFault).optional(),
  /** Its port: 587 and 465 are those that take a login. */
  port: z.int("must be a port").min(1, "must be 1 or more").max(65_535, "must be 65535 or less").optional(),
  /** Addresses. */
  recipients: z.array(z.email("must be a mail address")).optional(),
});

/** `freqtradeHost` of the stack's config: where execution-crypto finds Freqtrade's API; empty for none. */
export const freqtradeSchema = refined((text) => (text === "" ? undefined : addressFault(text)));

/** The settings of what is outside. */
export interface Outside {
  readonly mail: z.infer<typeof mailSchema>;
  /** Empty for none. */
  readonly freqtradeHost: string;
  readonly domain: string;
  readonly httpsPort: number;
}

/** A setting as a reference gives it: a list and a number keep their kind within a JSON text. */
export type SettingValue = string | number | readonly string[];

/** The platform's own address. */
export const publicUrl = ({ domain, httpsPort }: Pick<Outside, "domain" | "httpsPort">): string =>
  `https://${domain}${httpsPort === 443 ? "" : `:${httpsPort}`}`;

/** What `${setting:NAME}` may name, by the key of the stack's config; undefined if the config does not set it. */
export const outsideSettings: Readonly<Record<string, (settings: Outside) => SettingValue | undefined>> = {
  "mail.host": ({ mail }) => mail.host,
  "mail.port": ({ mail }) => mail.port,
  "mail.recipients": ({ mail }) => mail.recipients,
  freqtradeHost: ({ freqtradeHost }) => (freqtradeHost === "" ? undefined : freqtradeHost),
  url: publicUrl,
};

/** A setting that an old installation's variable becomes. */
export type AdoptedSetting = "mail.host" | "mail.port" | "mail.recipients" | "freqtradeHost";

/** What is wrong with a setting's text, as a variable had it: several recipients are separated by commas. */
export function settingFault(key: AdoptedSetting, text: string): string | undefined {
  const schemas = {
    "mail.host": mailSchema.shape.host,
    "mail.port": mailSchema.shape.port,
    "mail.recipients": mailSchema.shape.recipients,
    freqtradeHost: freqtradeSchema,
  } as const;
  const value = key === "mail.port" ? Number(text) : key === "mail.recipients" ? recipientsOf(text) : text;
  const { error } = schemas[key].safeParse(value);
  return error?.issues[0]?.message;
}

/** The recipients in a text that separates them by commas or semicolons. */
export const recipientsOf = (text: string): string[] =>
  text
    .split(/[,;]/)
    .map((each) => each.trim())
    .filter((each) => each !== "");

/** What of it is a private address: the host's firewall lets containers reach exactly these, with their port where one is named. */
export function outsideDestinations({
  mail,
  freqtradeHost,
}: Pick<Outside, "mail" | "freqtradeHost">): PrivateDestination[] {
  const places = [
    mail.host === undefined ? undefined : { host: mail.host, port: mail.port },
    freqtradeHost === "" ? undefined : placeOf(freqtradeHost),
  ];
  return places.flatMap((place) =>
    place === undefined || isIP(place.host) === 0 || !isPrivate(place.host)
      ? []
      : [{ network: place.host, ...(place.port === undefined ? {} : { ports: [place.port] }) }],
  );
}
