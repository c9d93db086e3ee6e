import { nameIn, type SegmentName } from "../segments.ts";

/**
 * HTTP_LISTEN, for our own programs and the services' images: the addresses to listen at, separated by commas. The loopback is for
 * the health check. A program that listens on every address works as well, but can then be called by the services that it calls.
 */
export const httpListen = (workload: string, serves: readonly SegmentName[]): string =>
  ["127.0.0.1", ...serves.map((segment) => nameIn(workload, segment))].join(",");
