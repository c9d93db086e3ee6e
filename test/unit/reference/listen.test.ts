import { describe, expect, it } from "vitest";
import { ownAddresses } from "../../../services/reference/src/listen.ts";

const names: Readonly<Record<string, readonly string[]>> = {
  "127.0.0.1": ["127.0.0.1"],
  "web.web": ["10.0.0.2", "10.0.0.3"],
  "web.other-to-web": ["10.0.1.2"],
};
const resolve = async (name: string) => names[name] ?? [];
const own = ["127.0.0.1", "10.0.0.3", "10.0.1.2", "10.0.2.2"];

describe("HTTP_LISTEN", () => {
  it("names the addresses on which to listen; without it they are all", async () => {
    expect(await ownAddresses(["127.0.0.1", "web.other-to-web"], resolve, own)).toEqual(["127.0.0.1", "10.0.1.2"]);
    expect(await ownAddresses([], resolve, own)).toEqual([undefined]);
  });

  it("leaves a former replica its address, which has the same name for a moment", async () => {
    expect(await ownAddresses(["web.web"], resolve, own)).toEqual(["10.0.0.3"]);
  });

  it("never falls back to all addresses: a name that is not known here is a fault", async () => {
    await expect(ownAddresses(["127.0.0.1", "web.nowhere"], resolve, own)).rejects.toThrow(/web.nowhere is no address/);
  });
});
