import type { Gauge } from "prom-client";
import { reason } from "./log.ts";
import { within } from "./timing.ts";

const PROBE_LIMIT_MS = 1000;

/** Rejects when the dependency does not answer. */
export type Probe = () => Promise<unknown>;

interface Result {
  readonly name: string;
  readonly fault: string | undefined;
}

/**
 * The state of a service in one line.
 * Red (503) only when something that the service itself connects to is gone: its database, Redis, NATS, its volume.
 * A peer service that is away is amber: 200 with its name. If it were red, one broken service would turn every service
 * before it red, the watchdog would restart healthy ones, and a rolling deploy of either could never finish.
 */
export class Health {
  readonly #own = new Map<string, Probe>();
  readonly #peers = new Map<string, Probe>();
  readonly #up: Gauge<"dependency">;

  constructor(up: Gauge<"dependency">) {
    this.#up = up;
  }

  own(name: string, probe: Probe): void {
    this.#own.set(name, probe);
  }

  peer(name: string, probe: Probe): void {
    this.#peers.set(name, probe);
  }

  async report(draining = false): Promise<{ status: number; text: string }> {
    const [own, peers] = await Promise.all([this.#run(this.#own), this.#run(this.#peers)]);
    if (draining) return { status: 503, text: "draining\n" };
    if (own.length > 0)
      return { status: 503, text: `unavailable: ${own.map(({ name, fault }) => `${name} (${fault})`).join(", ")}\n` };
    if (peers.length > 0) return { status: 200, text: `ok, but away: ${peers.map(({ name }) => name).join(", ")}\n` };
    return { status: 200, text: "ok\n" };
  }

  async #run(probes: ReadonlyMap<string, Probe>): Promise<readonly Result[]> {
    const results = await Promise.all(
      [...probes].map(async ([name, probe]): Promise<Result> => {
        try {
          await within(PROBE_LIMIT_MS, name, probe());
          return { name, fault: undefined };
        } catch (error) {
          return { name, fault: reason(error) };
        }
      }),
    );
    for (const { name, fault } of results) this.#up.set({ dependency: name }, fault === undefined ? 1 : 0);
    return results.filter(({ fault }) => fault !== undefined);
  }
}
