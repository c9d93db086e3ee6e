import type { HostOptions } from "../options.ts";
import { type Step, unlessContainer } from "../step.ts";

const FILE = "/var/lib/autollm/swapfile";
const UNIT = "/etc/systemd/system/var-lib-autollm-swapfile.swap";

/** A container may not swap on its machine's behalf: there the file and the unit wait without effect. */
const SWAP = `[Unit]
Description=Swap of the AutoLLM platform
ConditionVirtualization=!container

[Swap]
What=${FILE}

[Install]
WantedBy=swap.target
`;

/** Swap as a buffer for a short rush, not as memory: the kernel is told to use it late. */
export function swapStep({ swapMiB }: HostOptions): Step {
  const wanted = swapMiB > 0;
  const size = `[ "$(stat -c %s ${FILE} 2>/dev/null || echo 0)" -eq $((${swapMiB} * 1048576)) ]`;
  const remove = `systemctl disable --quiet --now ${UNIT.split("/").at(-1)} >/dev/null 2>&1 || true; rm -f ${FILE}`;
  return {
    name: "swap",
    purpose: wanted ? `gives the host ${swapMiB} MiB of swap` : "keeps no swap of ours",
    after: ["packages"],
    files: wanted ? [{ path: UNIT, content: SWAP }] : [],
    activate: [
      `if [ -f ${UNIT} ]; then`,
      `  mkdir -p /var/lib/autollm`,
      `  if ! ${size}; then`,
      `    ${remove}`,
      `    (umask 077 && { fallocate -l ${swapMiB}M ${FILE} || dd if=/dev/zero of=${FILE} bs=1M count=${swapMiB}; }) 2>/dev/null`,
      `    mkswap --quiet ${FILE} >/dev/null`,
      "  fi",
      "  systemctl daemon-reload",
      `  systemctl enable --quiet ${UNIT.split("/").at(-1)} >/dev/null 2>&1`,
      `  systemctl start ${UNIT.split("/").at(-1)}`,
      "else",
      `  ${remove}`,
      "  systemctl daemon-reload",
      "fi",
    ].join("\n"),
    checks: wanted
      ? [
          {
            fault: `${FILE} is no swap of ${swapMiB} MiB that root alone may read`,
            test: `${size} && [ "$(stat -c '%a %U' ${FILE})" = '600 root' ] && [ "$(blkid -p -o value -s TYPE ${FILE})" = swap ]`,
          },
          {
            fault: "the swap is not in use",
            test: unlessContainer(`swapon --show=NAME --noheadings | grep -qx ${FILE}`),
          },
        ]
      : [],
  };
}
