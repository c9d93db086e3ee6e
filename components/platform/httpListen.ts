import { nameIn, type SegmentName } from "../segments.ts";

/**
 * HTTP_LISTEN, for the programs of our own and the services' images: where to listen, separated by commas. The loopback is for
 * the health check. A program that listens on every address works as well, and can then be called by what it calls itself.
 */
export const httpListen = (workload: string, serves: readonly SegmentName[]): string =>
  ["127.0.0.1", ...serves.map((segment) => nameIn(workload, segment))].join(",");
