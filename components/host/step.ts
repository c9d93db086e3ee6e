/** A file that a step owns. Files of the same path are never shared by two steps. */
export interface HostFile {
  readonly path: string;
  readonly content: string;
  /** Octal, such as `0600`. Default `0644`. The owner is root. */
  readonly mode?: string;
}

/** One thing to look at on the host, besides the step's files. */
export interface Check {
  /** What is said when it is not so. */
  readonly fault: string;
  /** Shell command that ends with 0 when the host is as declared. */
  readonly test: string;
  /** Looked at by the drift check only: applying the step cannot repair it. */
  readonly driftOnly?: boolean;
}

/**
 * One concern of the host, as data. Applying writes the files that differ and then, always, makes them take effect; so a step can
 * be run again at any time, from any state that an interruption left.
 */
export interface Step {
  readonly name: string;
  /** What it does, in a line. */
  readonly purpose: string;
  /** Steps that must be done before. */
  readonly after: readonly string[];
  /** Shell lines before the files are written. */
  readonly prepare?: string;
  readonly files?: readonly HostFile[];
  /** Shell lines that make the files take effect, whatever they say, also when they are gone. `$changed` names those just written. */
  readonly activate?: string;
  readonly checks?: readonly Check[];
  /** Shell lines after the step's files are removed. Default: `activate`. */
  readonly undo?: string;
  /** What undoing leaves on the host, and why. */
  readonly leaves?: string;
  /**
   * The step could lock everybody out: it reverts by itself unless a second connection confirms it. That one comes `as-wanted`, on
   * the wanted port, or `as-it-is`, the way that the step itself was reached: sshd may yet have to move.
   */
  readonly proven?: "as-wanted" | "as-it-is";
}

/** A shell test that holds in a container too, where the kernel is not the host's own. */
export function unlessContainer(test: string): string {
  return `systemd-detect-virt --quiet --container || { ${test}; }`;
}

/** A check that a systemd unit runs and comes back after a reboot. */
export function unitRuns(unit: string): Check[] {
  return [
    { fault: `${unit} does not run`, test: `systemctl is-active --quiet ${unit}` },
    { fault: `${unit} does not start at boot`, test: `systemctl is-enabled --quiet ${unit}` },
  ];
}

/** Orders steps so that each comes after those that it needs. */
export function inOrder(steps: readonly Step[]): Step[] {
  const done = new Map<string, Step>();
  const visit = (step: Step, path: readonly string[]): void => {
    if (done.has(step.name)) return;
    if (path.includes(step.name)) throw new Error(`host steps need each other: ${[...path, step.name].join(" -> ")}`);
    for (const name of step.after) {
      const needed = steps.find((candidate) => candidate.name === name);
      if (needed === undefined) throw new Error(`host step ${step.name} needs ${name}, which does not exist`);
      visit(needed, [...path, step.name]);
    }
    done.set(step.name, step);
  };
  for (const step of steps) visit(step, []);
  return [...done.values()];
}
