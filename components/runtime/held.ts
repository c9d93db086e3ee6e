/** Set by `./autollm move` alone: an environment of the engine's, so that no config can leave a platform stopped by mistake. */
export const HELD_VARIABLE = "AUTOLLM_HELD";

/** What makes a container that is not started. After a move its state says what it would otherwise (tools/lib/move/state.ts). */
export const HELD = { start: false, mustRun: false } as const;

/** The stores are started on a held target too: claims and passwords are proven in them. Nobody writes to them there. */
export const isStore = (workload: string): boolean => ["postgres", "redis", "nats"].includes(workload);
