/** Set by `./autollm move` alone: an environment of the engine's, so that no config can leave a platform stopped by mistake. */
export const HELD_VARIABLE = "AUTOLLM_HELD";

/** What makes a container that is not started. After a move its state says what it would otherwise (tools/lib/move/state.ts). */
export const HELD = { start: false, mustRun: false } as const;

/**
 * What is started on a held target too, since an update does something in it: claims and passwords are proven in the stores, and
 * Grafana makes its database. They are empty, and nobody reads or writes there.
 */
export const startsHeld = (workload: string): boolean => ["postgres", "redis", "nats", "grafana"].includes(workload);
