/** The user of the reference service's process, and of the services' own images. */
export const SERVICE_USER = "10001:10001";

/** How the reference service is started, whatever it stands in for. */
export const STAND_IN_COMMAND = ["node", "/app/reference.mjs"] as const;
