/**
 * The API port as other containers reach it. The image forwards 4003 and 4004 to the gateway's own 4001 (live) and 4002
 * (paper), which listen on the loopback only; the stand-in listens on 4001 and 4002 itself.
 */
export function ibApiPort(live: boolean, standIn: boolean): number {
  const base = standIn ? 4001 : 4003;
  return live ? base : base + 1;
}
