import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Stage, stage } from "./host/stage.ts";
import { eventually } from "./lib/http.ts";

/** Longest that a host may be without its rules. */
const SECONDS = 60;

describe("the firewall of a host", () => {
  let { at, configure, fault, setUp, host, neighbour, remove, stack } = {} as Stage;

  beforeAll(async () => {
    ({ at, configure, fault, setUp, host, neighbour, remove, stack } = await stage("e2e-host-firewall"));
    configure();
  });
  afterAll(() => remove?.());

  const restored = async (what: string): Promise<number> =>
    Number(await at(`grep -F 'restored_total{what="${what}"}' /var/lib/autollm/metrics/firewall.prom | cut -d' ' -f2`));
  const open = async (port: number) => {
    const script = `timeout 2 bash -c "exec 3<>/dev/tcp/${host.address}/${port}" 2>/dev/null && echo open || echo closed`;
    return (await neighbour(script)).trim() === "open";
  };

  test.each([
    [
      "ufw",
      "apt-get -qq update; apt-get -qq install --yes ufw >/dev/null 2>&1; sed -i s/^ENABLED=.*/ENABLED=yes/ /etc/ufw/ufw.conf",
      "apt-get -qq purge --yes ufw >/dev/null 2>&1",
    ],
    [
      "nftables",
      "apt-get -qq install --yes nftables >/dev/null 2>&1; grep -q '^flush ruleset' /etc/nftables.conf; systemctl enable --quiet nftables.service",
      "systemctl disable --quiet nftables.service",
    ],
  ])("is refused in one line where %s manages it, and nothing is changed", async (name, manage, leave) => {
    await at(manage);
    const told = await fault();
    expect(told).toMatch(
      new RegExp(`host: its firewall is managed by ${name}.*\\(take it off: .*\\).*nothing was changed`),
    );
    expect(await at("id deployer 2>&1 || true")).toContain("no such user");
    await at(leave);
  });

  test("is set up on a host that nobody else manages", async () => {
    const { code, stdout, stderr } = await setUp();
    expect(code, stdout + stderr).toBe(0);
    // A container that publishes a port: its way in is Docker's, which the platform's rules close.
    await at(
      "mkdir -p /srv/empty/usr /srv/empty/tmp && cd /srv/empty && for link in bin lib lib64 sbin; do ln -sfn usr/$link $link; done && tar -c . | docker import - empty",
    );
    await at(
      "docker run --detach --name web --restart unless-stopped --volume /usr:/usr:ro --publish 8080:80 empty python3 -m http.server 80",
    );
    expect(await open(8080)).toBe(false);
    expect(await open(22)).toBe(true);
  });

  test.each([
    ["nft flush ruleset", "nft flush ruleset"],
    [
      "somebody's nftables.service",
      "printf 'flush ruleset\\ntable inet theirs { chain in { type filter hook input priority 0; }; }\\n' > /etc/nftables.conf; systemctl restart nftables",
    ],
    ["a rule that opens a port", "nft insert rule inet autollm input tcp dport 5432 accept"],
    ["the removal of one of our rules", "nft flush chain inet autollm forward"],
  ])("is as declared again within a minute of %s", async (_, harm) => {
    const before = await at("nft --stateless --terse list table inet autollm");
    const counted = await restored("rules");
    const container = await at("docker inspect --format '{{.Id}} {{.State.Pid}} {{.RestartCount}}' web");
    const address = host.address.replace(/\d+$/, "66");
    await at(`fail2ban-client set sshd banip ${address}; nft list table inet f2b-table | grep -F ${address}`);
    const start = Date.now();
    await at(harm);
    await eventually("the rules", SECONDS, async () =>
      (await at("nft --stateless --terse list table inet autollm 2>/dev/null || true")) === before ? true : undefined,
    );
    await eventually("Docker's rules", SECONDS, async () =>
      (await at("iptables -t nat -S DOCKER 2>/dev/null || true")).includes("--dport 8080") ? true : undefined,
    );
    await eventually("the ban", SECONDS, async () =>
      (await at("nft list table inet f2b-table 2>/dev/null || true")).includes(address) ? true : undefined,
    );
    expect((Date.now() - start) / 1000).toBeLessThan(SECONDS);
    await eventually("the metric", 30, async () => ((await restored("rules")) > counted ? true : undefined));
    expect(await open(8080)).toBe(false);
    expect(await at("docker inspect --format '{{.Id}} {{.State.Pid}} {{.RestartCount}}' web")).toBe(container);
    expect(await at("systemctl is-active docker autollm-firewall autollm-firewall-watch fail2ban")).toBe(
      "active\nactive\nactive\nactive",
    );
  });

  test("is told to be another's as well, while that is so", async () => {
    const other = () =>
      at("grep -F 'other{program=\"nftables\"}' /var/lib/autollm/metrics/firewall.prom | cut -d' ' -f2");
    await at("systemctl enable --quiet nftables.service");
    await eventually("the metric", 60, async () => ((await other()) === "1" ? true : undefined));
    const drift = async () => (await stack.autollm("drift", "--json")).stdout;
    expect(await drift()).toContain("another program manages the host's firewall as well");
    await at("systemctl disable --quiet --now nftables.service");
    await eventually("the metric", 60, async () => ((await other()) === "0" ? true : undefined));
  });

  test("is left alone after a destroy", async () => {
    const { code, stdout, stderr } = await stack.autollm("pulumi", "destroy", "--yes", "--skip-preview");
    expect(code, stdout + stderr).toBe(0);
    expect(await at("ls /usr/local/lib/autollm /etc/systemd/system | grep firewall || true")).toBe("");
    await at("nft flush ruleset; sleep 25");
    expect(await at("nft list tables")).not.toContain("autollm");
  });
});
