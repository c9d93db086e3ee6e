/**
 * The placeholder in an executor's settings for the name of its NATS user, which is known only when its container is created: the
 * start wrapper replaces it by NATS_USER.
 */
export const NATS_USER_MARK = "@@NATS_USER@@";
