/** A page of the application that the smoke tests ask for, and the statuses of which it must be answered with one. */
export interface SmokeRoute {
  readonly path: string;
  readonly expected: readonly number[];
}

/** What the application's gateway is asked, by the check that asks. A client with a good token is answered 200 at `token`. */
export const smokeRoutes: { readonly token: SmokeRoute } = {
  token: { path: "/api/positions", expected: [401, 403] },
};
