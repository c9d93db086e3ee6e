import { describe, expect, it } from "vitest";
import type { SettingValue } from "../../../components/outside.ts";
import { fill, type Reference, refer, references } from "../../../components/platform/references.ts";

const known: Readonly<Record<string, string>> = {
  "credential:jwt": 'a"b\\c\nd',
  "file:nats-ca": "/run/secrets/files/nats_ca.pem",
  "address:nats.url": "tls://nats:4222",
};
const settings: Readonly<Record<string, SettingValue>> = {
  "mail.port": 587,
  "mail.recipients": ["a@x.org", "b@x.org"],
};
const resolve = ({ kind, name }: Reference) => (kind === "setting" ? settings[name] : known[`${kind}:${name}`]);
const jwt = refer("credential", "jwt");
const absent = refer("credential", "openai");

describe("a variable's value", () => {
  it.each<[string, string, string]>([
    ["without a reference", "plain $HOME $$ {}", "plain $HOME $$ {}"],
    ["that is a reference", jwt, known["credential:jwt"] ?? ""],
    ["with references in a text", `x=${refer("file", "nats-ca")};`, "x=/run/secrets/files/nats_ca.pem;"],
    ["with a plain one", `$\${credential:jwt}`, refer("credential", "jwt")],
    ["that only looks like JSON", "{not json}", "{not json}"],
  ])("%s", (_, value, filled) => {
    expect(fill(value, resolve)).toBe(filled);
  });

  it("that is JSON is filled in within its strings, with what JSON must escape, and keeps its other members", () => {
    const value = JSON.stringify({
      jwt_secret: jwt,
      deep: [{ url: `<${refer("address", "nats.url")}>` }],
      ttl: 15,
      on: true,
    });
    expect(JSON.parse(fill(value, resolve) ?? "")).toEqual({
      jwt_secret: known["credential:jwt"],
      deep: [{ url: "<tls://nats:4222>" }],
      ttl: 15,
      on: true,
    });
  });

  it("keeps a list and a number of the config within JSON, and writes them out in any other text", () => {
    const [port, recipients] = [refer("setting", "mail.port"), refer("setting", "mail.recipients")];
    const group = { port, to: recipients, said: `${port}!`, host: refer("setting", "mail.host") };
    expect(JSON.parse(fill(JSON.stringify(group), resolve) ?? "")).toEqual({
      port: 587,
      to: ["a@x.org", "b@x.org"],
      said: "587!",
    });
    expect([port, recipients].map((each) => fill(each, resolve))).toEqual(["587", "a@x.org,b@x.org"]);
  });

  it("leaves out what is not supplied: the variable, a member, an element", () => {
    expect(fill(absent, resolve)).toBeUndefined();
    expect(fill(JSON.stringify({ key: absent, list: [absent, "x"], ttl: 1 }), resolve)).toBe('{"list":["x"],"ttl":1}');
  });

  it("is refused where something is missing in the middle of a text", () => {
    expect(() => fill(`Bearer ${absent}`, resolve)).toThrow(/credential:openai, which is not supplied/);
  });

  it("tells its references, those within JSON too", () => {
    expect(references(`${jwt} and ${refer("address", "redis.url")}`)).toEqual([
      { kind: "credential", name: "jwt" },
      { kind: "address", name: "redis.url" },
    ]);
    expect(references(JSON.stringify({ a: { b: [jwt] } }))).toEqual([{ kind: "credential", name: "jwt" }]);
  });

  it.each(["secret:jwt", "credential:", "credential:JWT", "jwt", "credential:jwt\n", "setting:", ""])(
    "has no reference to %j",
    (inside) => {
      expect(references(`a\${${inside}}`)).toMatch(/is no reference/);
    },
  );

  it("has no reference that does not end", () => {
    expect(references(jwt.slice(0, -1))).toMatch(/is no reference/);
  });
});
