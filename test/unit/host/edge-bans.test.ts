import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { edgeBansStep, edgeJail } from "../../../components/host/steps/fail2banEdge.ts";
import { options } from "./options.ts";

describe("the bans from the edge", () => {
  const lines = edgeJail(options).split("\n");

  test("hold for TCP and UDP, or a client would come back by HTTP/3", () => {
    expect(lines).toContain("protocol = tcp,udp");
    expect(lines).toContain("banaction = nftables[type=allports, chain_hook=forward]");
  });

  test("lie in a chain of their own: the shared one is at the input hook once sshd has banned somebody", () => {
    expect(lines).toContain("chain = f2b-edge");
  });

  test("spare trusted networks, and the proxies before the edge", () => {
    expect(lines).toContain("ignoreip = 127.0.0.1/8 ::1 192.0.2.0/24 2001:db8::/32 198.51.100.0/24");
  });

  test("are of the client's address, not of the proxy's that made the connection", () => {
    const script = readFileSync(new URL("../../../components/host/steps/edge-log.sh", import.meta.url), "utf8");
    expect(script).toContain("refused \\(.request.client_ip) ");
    expect(script).not.toContain("remote_ip");
  });

  test("are looked after by drift in what they hold for", () => {
    const tests = (edgeBansStep(options).checks ?? []).map((check) => check.test).join("\n");
    expect(tests).toContain('get autollm-edge action nftables protocol)" = tcp,udp ]');
    expect(tests).toContain('get autollm-edge action nftables chain)" = f2b-edge ]');
  });
});
