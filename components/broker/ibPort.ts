/** The API port that the gateway itself opens once it has logged in, on the loopback only; the stand-in's is open to its segment. */
export const gatewayPort = (live: boolean): number => (live ? 4001 : 4002);

/** The API port as other containers reach it: the image forwards 4003 and 4004 to the gateway's own; the stand-in needs no forwarding. */
export const ibApiPort = (live: boolean, standIn: boolean): number => gatewayPort(live) + (standIn ? 0 : 2);
