import { describe, expect, it } from "vitest";
import { hostOptions } from "../../components/host/fromSettings.ts";
import { type AdoptedSetting, settingFault } from "../../components/outside.ts";
import { serviceEnvironment } from "../../components/platform/environment.ts";
import { checkConfig } from "../../components/settings.ts";

const settingsOf = (config: Readonly<Record<string, unknown>>) =>
  checkConfig(
    Object.fromEntries(
      Object.entries(config).map(([key, value]) => [
        `autollm:${key}`,
        typeof value === "string" ? value : JSON.stringify(value),
      ]),
    ),
    new Set(),
  ).settings;

describe("what the services call outside of the stack", () => {
  it.each<[AdoptedSetting, string]>([
    ["mail.host", "smtp.example.com"],
    ["mail.host", "192.168.4.5"],
    ["mail.host", "2001:4860:4860::8888"],
    ["mail.port", "465"],
    ["mail.recipients", "a@example.org; b@example.org"],
    ["freqtradeHost", "freqtrade"],
    ["freqtradeHost", "10.0.0.7:8080"],
    ["freqtradeHost", "https://bot.example.com/api"],
    ["freqtradeHost", "http://[fd00::7]:8080"],
  ])("%s may be %s", (key, value) => expect(settingFault(key, value)).toBeUndefined());

  it.each<[AdoptedSetting, string, RegExp]>([
    ["mail.host", "smtp.example.com:587", /host name or an IP address/],
    ["mail.host", "me@example.com", /host name or an IP address/],
    ["mail.host", "localhost", /container itself/],
    ["mail.host", "127.0.0.1", /container itself/],
    ["mail.host", "169.254.169.254", /stays closed/],
    ["mail.port", "0", /1 or more/],
    ["mail.port", "smtp", /./],
    ["mail.recipients", "a@example.org, nobody", /mail address/],
    ["freqtradeHost", "http://me:pw@freqtrade", /without a login/],
    ["freqtradeHost", "ftp://freqtrade", /by http or https/],
    ["freqtradeHost", "http://localhost:8080", /container itself/],
  ])("%s must not be %s", (key, value, said) => expect(settingFault(key, value)).toMatch(said));

  it("is told with its key, all at once, before anything changes", () => {
    expect(() =>
      settingsOf({ mail: { host: "localhost", recipients: ["nobody"], from: "x" }, freqtradeHost: "a b" }),
    ).toThrow(
      /has 4 faults[\s\S]*mail\.host[\s\S]*mail\.recipients\.0[\s\S]*mail: Unrecognized key[\s\S]*freqtradeHost/,
    );
  });

  it("reaches the services that are granted its login, and no others", () => {
    const settings = settingsOf({
      mail: { host: "smtp.example.com", port: 587, recipients: ["a@example.org", "b@example.org"] },
      freqtradeHost: "10.0.0.7:8080",
    });
    expect(serviceEnvironment("reporter", settings, 4002)).toMatchObject({
      SMTP_HOST: "smtp.example.com",
      SMTP_PORT: "587",
      REPORT_RECIPIENTS: "a@example.org,b@example.org",
    });
    expect(serviceEnvironment("execution-crypto", settings, 4002).FREQTRADE_HOST).toBe("10.0.0.7:8080");
    expect(Object.keys(serviceEnvironment("gateway-api", settings, 4002)).join()).not.toMatch(
      /SMTP|RECIPIENTS|FREQTRADE/,
    );
    expect(Object.keys(serviceEnvironment("reporter", settingsOf({}), 4002)).join()).not.toMatch(/SMTP|RECIPIENTS/);
  });

  it("is let through the host's firewall where it is a private address, with its port and nothing else", () => {
    const destinations = (config: Readonly<Record<string, unknown>>) =>
      hostOptions(settingsOf(config), { publicKey: "ssh-ed25519 AAAA" }).privateDestinations;
    expect(destinations({ mail: { host: "192.168.4.5", port: 465 }, freqtradeHost: "http://10.0.0.7" })).toEqual([
      { network: "192.168.4.5", ports: [465] },
      { network: "10.0.0.7", ports: [80] },
    ]);
    expect(destinations({ mail: { host: "192.168.4.5" } })).toEqual([{ network: "192.168.4.5" }]);
    expect(destinations({ mail: { host: "smtp.example.com" }, freqtradeHost: "8.8.8.8:80" })).toEqual([]);
  });
});
