import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Stage, stage } from "./host/stage.ts";
import { eventually } from "./lib/http.ts";

/** What stands beside the host in the test: addresses of a network namespace, none of which leaves the host. */
const BESIDE = {
  /** Of a cloud's metadata service, of whichever cloud. */
  metadata: ["169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"],
  private: ["10.77.0.5", "172.31.77.5", "192.168.77.5", "100.64.77.5", "198.18.77.5", "fd00:77::5", "64:ff9b::a4d:5"],
  declared: ["10.88.0.5", "fd00:88::5"],
  public: ["1.2.3.4", "2600::5"],
} as const;
const PORTS = [80, 8443];
/** Declared with one port of the two. */
const ONE_PORT = "10.99.0.5";
const NAME_SERVER = "10.66.0.53";
const beside = [...Object.values(BESIDE).flat(), ONE_PORT, NAME_SERVER];

/** Answers each line on the ports, and each question for a name with 1.2.3.4. */
const SERVER = `
import socket, threading
def answer(connection):
    with connection:
        while data := connection.recv(100): connection.sendall(data)
def listen(family, any_address, port):
    server = socket.socket(family); server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6: server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.bind((any_address, port)); server.listen(50)
    while True: threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
def names():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("${NAME_SERVER}", 53))
    while True:
        question, asker = server.recvfrom(512)
        end = question.index(0, 12) + 5
        a = question[end - 4:end - 2] == bytes((0, 1))
        head = question[:2] + bytes((0x81, 0x80, 0, 1, 0, 1 if a else 0, 0, 0, 0, 0))
        record = bytes((0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4)) if a else b""
        server.sendto(head + question[12:end] + record, asker)
for port in ${JSON.stringify([53, ...PORTS])}:
    for family, any_address in (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"):
        threading.Thread(target=listen, args=(family, any_address, port)).start()
threading.Thread(target=names).start()
`;

/** Prints which of its arguments, ADDRESS=PORT each, answer within two seconds. */
const PROBE = `
import socket, sys, threading
def probe(target):
    address, port = target.split("=")
    try:
        socket.create_connection((address, int(port)), 2).close()
        print(target, flush=True)
    except OSError: pass
threads = [threading.Thread(target=probe, args=(target,)) for target in sys.argv[1:]]
for thread in threads: thread.start()
for thread in threads: thread.join()
`;

/** Keeps one connection and writes the number of answers so far into a file. */
const SESSION = `
import socket, time
connection = socket.create_connection(("169.254.169.254", 80), 5); count = 0
while True:
    connection.sendall(b"x"); connection.recv(1); count += 1
    open("/tmp/answers", "w").write(str(count)); time.sleep(0.2)
`;

describe("a container with internet access on a host", () => {
  let { at, configure, host, remove, setUp } = {} as Stage;

  const v6 = () => host.address6 !== "";
  const known = (addresses: readonly string[]) => addresses.filter((address) => v6() || !address.includes(":"));
  const write = (path: string, text: string) =>
    at(`echo ${Buffer.from(text).toString("base64")} | base64 -d > ${path}`);
  const reached = async (addresses: readonly string[], ports: readonly number[]): Promise<readonly string[]> => {
    const targets = known(addresses).flatMap((address) => ports.map((port) => `${address}=${port}`));
    return (await at(`docker exec prober python3 /probe/probe.py ${targets.join(" ")}`)).split("\n").filter(Boolean);
  };
  const all = (addresses: readonly string[], ports: readonly number[]) =>
    known(addresses).flatMap((address) => ports.map((port) => `${address}=${port}`));
  const resolves = async () =>
    (
      await at(
        "docker exec prober timeout 6 python3 -c 'import socket; print(socket.gethostbyname(\"a.example\"))' || true",
      )
    )
      .trim()
      .endsWith("1.2.3.4");
  const loadRules = () => at("systemctl restart autollm-firewall");
  const dropRules = () => at("nft delete table inet autollm");
  let own: readonly string[] = [];

  beforeAll(async () => {
    ({ at, configure, host, remove, setUp } = await stage("e2e-host-egress"));
    configure({
      privateDestinations: ["10.88.0.0/16", { network: ONE_PORT, ports: [8443] }, "fd00:88::/64"],
    });
    const { code, stdout, stderr } = await setUp();
    expect(code, stdout + stderr).toBe(0);
    await at("mkdir -p /srv/probe");
    await write("/srv/probe/probe.py", PROBE);
    await write("/srv/probe/session.py", SESSION);
    await write("/srv/server.py", SERVER);
    // The network beside the host.
    const addresses = known(beside).map(
      (address) =>
        `nsenter --net=/proc/$pid/ns/net ip address add ${address}/${address.includes(":") ? 128 : 32} dev lan1 ${address.includes(":") ? "nodad" : ""}`,
    );
    const routes = known(beside).map(
      (address) => `ip route add ${address}/${address.includes(":") ? 128 : 32} dev lan0`,
    );
    await at(
      [
        "setsid unshare --net sleep infinity >/dev/null 2>&1 & pid=$!; sleep 1; echo $pid > /run/beside",
        "ip link add lan0 type veth peer name lan1",
        "ip link set lan1 netns $pid",
        "ip address add 10.55.0.1/24 dev lan0; ip link set lan0 up",
        'in_lan() { nsenter --net=/proc/$pid/ns/net "$@"; }',
        "in_lan ip link set lo up; in_lan ip link set lan1 up",
        "in_lan ip address add 10.55.0.2/24 dev lan1; in_lan ip route add default via 10.55.0.1",
        ...(v6()
          ? [
              "sysctl -q -w net.ipv6.conf.all.forwarding=1",
              "ip address add fd00:55::1/64 dev lan0 nodad; in_lan ip address add fd00:55::2/64 dev lan1 nodad",
              "in_lan ip -6 route add default via fd00:55::1",
            ]
          : []),
        ...addresses,
        ...routes,
        "setsid nsenter --net=/proc/$pid/ns/net python3 /srv/server.py >/dev/null 2>&1 &",
      ].join("\n"),
    );
    // An image without anything: its programs are the host's.
    await at(
      "mkdir -p /srv/empty/usr /srv/empty/tmp && cd /srv/empty && for link in bin lib lib64 sbin; do ln -sfn usr/$link $link; done && tar -c . | docker import - empty",
    );
    const network6 = v6() ? "--ipv6 --subnet fd00:aaaa::/64" : "";
    await at(`docker network create ${network6} outward; docker network create other`);
    const run = "docker run --detach --volume /usr:/usr:ro --volume /srv/probe:/probe:ro";
    await at(
      [
        `echo nameserver ${NAME_SERVER} > /etc/resolv.conf`,
        `${run} --name prober --network outward empty sleep infinity`,
        `${run} --name member --network outward --publish 8081:80 empty python3 -m http.server 80`,
        `${run} --name stranger --network other empty python3 -m http.server 80`,
      ].join("\n"),
    );
    const gateways = await at(
      "docker inspect --format '{{range .NetworkSettings.Networks}}{{.Gateway}} {{.IPv6Gateway}}{{end}}' prober",
    );
    own = [...gateways.split(" ").filter(Boolean), host.address, "10.55.0.1"];
    await eventually("the servers", 30, async () =>
      (
        await at(
          `ss -Hltn | grep -c ':8081 ' || true; timeout 1 bash -c 'exec 3<>/dev/tcp/1.2.3.4/80' && echo up || true`,
        )
      ).includes("up")
        ? true
        : undefined,
    );
  });
  afterAll(() => remove?.());

  test("would reach everything without the firewall's rules", async () => {
    await dropRules();
    const open = [...(await reached(beside, PORTS)), ...(await reached(own, [22, 8081]))];
    await loadRules();
    expect([...open].sort()).toEqual([...all(beside, PORTS), ...all(own, [22, 8081])].sort());
  });

  test("reaches the internet and what is declared, and no metadata service, private network or address of the host", async () => {
    const open = [...(await reached(beside, [...PORTS, 53])), ...(await reached(own, [22, 53, 80, 443, 8081]))];
    const wanted = [
      ...all([...BESIDE.declared, ...BESIDE.public], [...PORTS, 53]),
      `${ONE_PORT}=8443`,
      `${NAME_SERVER}=53`,
    ];
    expect([...open].sort()).toEqual(wanted.sort());
  });

  test("reaches the other members of its network, and those of no other", async () => {
    const address = (name: string) =>
      at(`docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' ${name}`);
    expect(await reached([await address("member")], [80])).toHaveLength(1);
    expect(await reached([await address("stranger")], [80])).toEqual([]);
  });

  test("resolves names by the host's name server, also after that has become another", async () => {
    expect(await resolves()).toBe(true);
    await at("nft flush set inet autollm resolvers4");
    const without = await resolves();
    await at(`echo nameserver ${NAME_SERVER} > /etc/resolv.conf`);
    await eventually("the name server in the rules", 15, async () =>
      (await at("nft list set inet autollm resolvers4")).includes(NAME_SERVER) ? true : undefined,
    );
    expect(await resolves()).toBe(true);
    expect(without, "names are asked from the container's own address").toBe(false);
  });

  test("keeps no connection to a metadata service that it had before the rules", async () => {
    await dropRules();
    await at("docker exec --detach prober python3 /probe/session.py");
    const answers = async () => Number(await at("docker exec prober cat /tmp/answers 2>/dev/null || echo 0"));
    await eventually("answers", 15, async () => ((await answers()) > 3 ? true : undefined));
    await loadRules();
    const before = await answers();
    await pause(3000);
    expect((await answers()) - before).toBeLessThanOrEqual(1);
  });
});
