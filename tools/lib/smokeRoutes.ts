/** A request of the smoke tests to the application, and the statuses of which it must be answered with one. */
export interface SmokeRoute {
  readonly method: "GET";
  readonly path: string;
  readonly expected: readonly number[];
}

/** What the application's gateway is asked, by the check that asks. Whoever has a good token is answered 200 at `token`. */
export const smokeRoutes = {
  token: { method: "GET", path: "/api/positions", expected: [401, 403] },
} as const satisfies Readonly<Record<string, SmokeRoute>>;
