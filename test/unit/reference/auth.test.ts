import { createHmac, generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { authorize, signToken, verifyingSecrets, verifyToken } from "../../../services/reference/src/jwt.ts";
import { MessageError } from "../../../services/reference/src/messages.ts";
import { privateKey, publicKey, signed, verified } from "../../../services/reference/src/signing.ts";

const key = () => randomBytes(32).toString("hex");
const current = key();
const previous = key();
const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;
const claims = { sub: "someone", exp: inAnHour(), scope: "admin" };

describe("tokens", () => {
  it("are good when the current or the previous secret signed them", () => {
    for (const secret of [current, previous])
      expect(verifyToken(signToken(claims, secret), [current, previous])).toEqual(claims);
    expect(verifyToken(signToken(claims, previous), [current])).toBeUndefined();
  });

  it("expire, with half a minute for clocks", () => {
    const token = signToken({ ...claims, exp: 1000 }, current);
    expect(verifyToken(token, [current], 1_020_000)).toBeDefined();
    expect(verifyToken(token, [current], 1_040_000)).toBeUndefined();
  });

  it("cannot choose their algorithm", () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    expect(verifyToken(`${part({ alg: "none" })}.${part(claims)}.`, [current])).toBeUndefined();
    const input = `${part({ alg: "HS512" })}.${part(claims)}`;
    expect(
      verifyToken(`${input}.${createHmac("sha512", current).update(input).digest("base64url")}`, [current]),
    ).toBeUndefined();
  });

  it("are refused when they were changed, or are no tokens", () => {
    const [head, , signature] = signToken(claims, current).split(".");
    const body = Buffer.from(JSON.stringify({ ...claims, sub: "other" })).toString("base64url");
    for (const token of [`${head}.${body}.${signature}`, "", "a.b", "a.b.c", "a.b.c.d", `${head}.e30.${signature}`]) {
      expect(verifyToken(token, [current])).toBeUndefined();
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
    expect(status(() => authorize(undefined, [current]))).toBe(401);
    expect(status(() => authorize("Basic abc", [current]))).toBe(401);
    expect(status(() => authorize(bearer("read"), [current], "admin"))).toBe(403);
    expect(status(() => authorize(bearer("read admin"), [current], "admin"))).toBe(200);
  });

  it("need a secret that cannot be guessed", () => {
    expect(() => verifyingSecrets(undefined, undefined)).toThrow(/JWT_SECRET must be set/);
    expect(() => verifyingSecrets("short", undefined)).toThrow(/32 characters/);
    expect(verifyingSecrets(current, previous)).toEqual([current, previous]);
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
