import { createHmac, generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { authorize, signToken, verifyingKeys, verifyToken } from "../../../services/reference/src/jwt.ts";
import { MessageError } from "../../../services/reference/src/messages.ts";
import { privateKey, publicKey, signed, verified } from "../../../services/reference/src/signing.ts";

const key = () => randomBytes(32).toString("hex");
const current = key();
const previous = key();
const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;
const now = () => Math.floor(Date.now() / 1000);
const claims = { sub: "someone", iat: now(), exp: inAnHour(), scope: "admin" };
const keys = verifyingKeys(current, previous, now() + 60);

describe("tokens", () => {
  it("are good when the current or the previous secret signed them", () => {
    for (const secret of [current, previous]) expect(verifyToken(signToken(claims, secret), keys)).toEqual(claims);
    expect(verifyToken(signToken(claims, previous), [{ secret: current }])).toBeUndefined();
  });

  it("are good by the previous secret until its time is over, and not at all where no time is told", () => {
    const token = signToken(claims, previous);
    expect(verifyToken(token, keys, Date.now() + 30_000)).toBeDefined();
    expect(verifyToken(token, keys, Date.now() + 90_000)).toBeUndefined();
    expect(verifyToken(signToken(claims, current), keys, Date.now() + 90_000)).toBeDefined();
    expect(verifyToken(token, verifyingKeys(current, previous, 0))).toBeUndefined();
  });

  it("are refused without the time at which they were made, from the future, and with a longer life than a day", () => {
    const { iat, ...without } = claims;
    expect(verifyToken(signToken(without as typeof claims, current), keys)).toBeUndefined();
    expect(verifyToken(signToken({ ...claims, iat: iat + 3600, exp: iat + 7200 }, current), keys)).toBeUndefined();
    expect(verifyToken(signToken({ ...claims, exp: iat + 24 * 3600 }, current), keys)).toBeDefined();
    expect(verifyToken(signToken({ ...claims, exp: iat + 24 * 3600 + 1 }, current), keys)).toBeUndefined();
    expect(verifyToken(signToken({ ...claims, exp: 4e9 }, current), keys)).toBeUndefined();
  });

  it("expire, with half a minute for clocks", () => {
    const token = signToken({ ...claims, iat: 500, exp: 1000 }, current);
    expect(verifyToken(token, keys, 1_020_000)).toBeDefined();
    expect(verifyToken(token, keys, 1_040_000)).toBeUndefined();
  });

  it("cannot choose their algorithm", () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    expect(verifyToken(`${part({ alg: "none" })}.${part(claims)}.`, keys)).toBeUndefined();
    const input = `${part({ alg: "HS512" })}.${part(claims)}`;
    expect(
      verifyToken(`${input}.${createHmac("sha512", current).update(input).digest("base64url")}`, keys),
    ).toBeUndefined();
  });

  it("are refused when they were changed, or are no tokens", () => {
    const [head, , signature] = signToken(claims, current).split(".");
    const body = Buffer.from(JSON.stringify({ ...claims, sub: "other" })).toString("base64url");
    for (const token of [`${head}.${body}.${signature}`, "", "a.b", "a.b.c", "a.b.c.d", `${head}.e30.${signature}`]) {
      expect(verifyToken(token, keys)).toBeUndefined();
    }
  });

  it("answer 401 without one and 403 without the scope", () => {
    const status = (work: () => unknown) => {
      try {
        work();
        return 200;
      } catch (error) {
        return (error as { status: number }).status;
      }
    };
    const bearer = (scope: string) => `Bearer ${signToken({ ...claims, scope }, current)}`;
    expect(status(() => authorize(undefined, keys))).toBe(401);
    expect(status(() => authorize("Basic abc", keys))).toBe(401);
    expect(status(() => authorize(bearer("read"), keys, "admin"))).toBe(403);
    expect(status(() => authorize(bearer("read admin"), keys, "admin"))).toBe(200);
  });

  it("need a secret that cannot be guessed", () => {
    expect(() => verifyingKeys(undefined, undefined, 0)).toThrow(/JWT_SECRET must be set/);
    expect(() => verifyingKeys("short", undefined, 0)).toThrow(/32 characters/);
    expect(() => verifyingKeys(current, "short", 0)).toThrow(/32 characters/);
  });
});

describe("signatures", () => {
  const pair = () => {
    const { privateKey: secret, publicKey: open } = generateKeyPairSync("ed25519");
    return {
      seed: secret.export({ format: "der", type: "pkcs8" }).subarray(-32).toString("base64"),
      open: open.export({ format: "der", type: "spki" }).subarray(-32).toString("base64"),
    };
  };
  const [old, young] = [pair(), pair()];
  const trusted = [publicKey(young.open), publicKey(old.open)];

  it("hold for the current and for the previous key", () => {
    for (const { seed } of [old, young])
      expect(verified(trusted, signed(privateKey(seed), { id: "1" }))).toEqual({ id: "1" });
  });

  it("are refused by any other key, when changed, and when missing", () => {
    const message = signed(privateKey(young.seed), { id: "1" });
    for (const bad of [
      signed(privateKey(pair().seed), { id: "1" }),
      { ...message, payload: '{"id":"2"}' },
      { ...message, signature: "" },
      { payload: message.payload },
      {},
    ]) {
      expect(() => verified(trusted, bad)).toThrow(MessageError);
    }
  });

  it("need keys of 32 bytes, and say so without showing them", () => {
    const short = randomBytes(16).toString("base64");
    expect(() => privateKey(short)).toThrow(/32 bytes, not 16/);
    expect(() => privateKey(short)).not.toThrow(short);
  });
});
