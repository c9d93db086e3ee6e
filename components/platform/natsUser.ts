/**
 * What stands in an executor's settings for the name of its NATS user, which is known only when its container is made: the start
 * wrapper puts NATS_USER in its place.
 */
export const NATS_USER_MARK = "@@NATS_USER@@";
