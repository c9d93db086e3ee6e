/** How the reference service is started, whatever it stands in for. */
export const STAND_IN_COMMAND = ["node", "/app/reference.mjs"] as const;
