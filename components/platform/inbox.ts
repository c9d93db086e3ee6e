/** Where a client without a configured prefix receives replies. */
export const STANDARD_INBOX = "_INBOX.>";

/** The prefix of a user's own inbox, in which only this user receives replies. */
export function inboxPrefix(user: string): string {
  return `_INBOX_${user}`;
}
