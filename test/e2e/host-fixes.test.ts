import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Stage, stage } from "./host/stage.ts";
import { eventually } from "./lib/http.ts";

const ENGINE = ["containerd", "docker-cli", "docker.io", "runc"];

/**
 * Puts newer versions of Docker's packages into an archive of the host's own that calls itself Debian's security archive: the
 * same files under a version with $1 at its end.
 */
const ARCHIVE = `
mkdir -p /srv/archive /srv/originals
cd /srv/originals && [ -e docker.io_*.deb ] || apt-get -qq download ${ENGINE.join(" ")} 2>/dev/null
cd /srv/archive && rm -rf ./*
for package in ${ENGINE.join(" ")}; do
  dpkg-deb -R /srv/originals/"$package"_*.deb tree
  sed -i "s/^Version: .*/Version: $(dpkg-query -W -f '\${Version}' "$package")$1/" tree/DEBIAN/control
  dpkg-deb --build --root-owner-group -Znone tree "$package.deb" >/dev/null && rm -r tree
  { dpkg-deb -f "$package.deb"; echo "Filename: ./$package.deb"; echo "Size: $(stat -c %s "$package.deb")"; echo "SHA256: $(sha256sum < "$package.deb" | cut -d' ' -f1)"; echo; } >> Packages
done
{ echo "Origin: Debian"; echo "Label: Debian-Security"; echo "Suite: stable-security"; echo "Codename: trixie-security"; echo "Version: 13"
  echo "Date: $(date -uR)"; echo "SHA256:"; echo " $(sha256sum < Packages | cut -d' ' -f1) $(stat -c %s Packages) Packages"; } > Release
echo "deb [trusted=yes] file:/srv/archive ./" > /etc/apt/sources.list.d/archive.list
`;

describe("security fixes of Docker", () => {
  let { at, configure, remove, setUp } = {} as Stage;

  const done = async () => {
    const { code, stdout, stderr } = await setUp();
    expect(code, stdout + stderr).toBe(0);
  };
  const publish = (suffix: string) => at(`set -- ${suffix}\n${ARCHIVE}`);
  const waiting = async (withheld: "yes" | "no"): Promise<number> => {
    await at("systemctl start autollm-upgrades-report");
    const line = `host_security_fixes_waiting{group="docker",withheld="${withheld}"}`;
    return Number(await at(`grep -F '${line}' /var/lib/autollm/metrics/upgrades.prom | cut -d' ' -f2`));
  };
  const version = (name: string) => at(`dpkg-query -W -f '\${Version}' ${name}`);
  const container = () =>
    at("docker inspect --format '{{.Id}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}' web");
  const answers = async () =>
    (await at("timeout 2 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080' && echo yes || true")) === "yes";

  beforeAll(async () => {
    ({ at, configure, remove, setUp } = await stage("e2e-host-fixes"));
    configure();
    await done();
    // An image without anything: its programs are the host's.
    await at(
      "mkdir -p /srv/empty/usr /srv/empty/tmp && cd /srv/empty && for link in bin lib lib64 sbin; do ln -sfn usr/$link $link; done && tar -c . | docker import - empty",
    );
    await at(
      "docker run --detach --name web --restart unless-stopped --volume /usr:/usr:ro --publish 8080:80 empty python3 -m http.server 80",
    );
    await eventually("the container", 30, async () => ((await answers()) ? true : undefined));
  });
  afterAll(() => remove?.());

  test("are none on a host that has just been set up", async () => {
    expect(await waiting("no")).toBe(0);
    expect(await waiting("yes")).toBe(0);
  });

  test("are told while they wait, also where a hold keeps them out", async () => {
    await publish("+sec1");
    await at("apt-mark hold runc");
    expect(await waiting("no")).toBe(3);
    expect(await waiting("yes")).toBe(1);
    const since = await at(
      "grep -F 'oldest_timestamp_seconds{group=\"docker\",withheld=\"no\"}' /var/lib/autollm/metrics/upgrades.prom | cut -d' ' -f2",
    );
    expect(Math.abs(Date.now() / 1000 - Number(since))).toBeLessThan(300);
  });

  test("are installed at their hour, and containers go on running and answering meanwhile", async () => {
    const before = await container();
    const daemon = await at("systemctl show --property MainPID docker containerd");
    await at(
      "setsid bash -c 'while [ ! -e /tmp/enough ]; do if timeout 1 bash -c \"exec 3<>/dev/tcp/127.0.0.1/8080\" 2>/dev/null; then echo yes; else echo no; fi; sleep 0.1; done' > /tmp/answers 2>/dev/null < /dev/null &",
    );
    // As the timer does.
    await at("systemctl start autollm-upgrades");
    await at("touch /tmp/enough; sleep 2");
    for (const name of ENGINE) expect(await version(name)).toMatch(/[+]sec1$/);
    expect(await at("systemctl show --property MainPID docker containerd")).not.toBe(daemon);
    expect(await container()).toBe(before);
    expect(Number(await at("grep -c yes /tmp/answers"))).toBeGreaterThan(20);
    expect(await at("grep -c no /tmp/answers || true")).toBe("0");
    expect([await waiting("no"), await waiting("yes"), await at("apt-mark showhold")]).toEqual([0, 0, ""]);
  });

  test("are told as withheld where the config pins a version", async () => {
    configure({ docker: { version: await version("docker.io") } });
    await done();
    await publish("+sec2");
    expect([await waiting("no"), await waiting("yes")]).toEqual([2, 2]);
    await at("systemctl start autollm-upgrades");
    expect(await version("docker.io")).toMatch(/[+]sec1$/);
    expect(await version("runc")).toMatch(/[+]sec1[+]sec2$/);
    expect([await waiting("no"), await waiting("yes")]).toEqual([0, 2]);
  });
});
