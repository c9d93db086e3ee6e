/** Where a client receives replies that was not told a prefix. */
export const STANDARD_INBOX = "_INBOX.>";

/** The prefix of a user's own inbox, where it alone receives replies. */
export function inboxPrefix(user: string): string {
  return `_INBOX_${user}`;
}
