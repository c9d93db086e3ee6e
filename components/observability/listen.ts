import { nameIn, type SegmentName } from "../segments.ts";

/** Options of Prometheus's programs: where they listen, the loopback for the health check. */
export const listensAt = (workload: string, serves: readonly SegmentName[], port: number): string[] =>
  ["127.0.0.1", ...serves.map((segment) => nameIn(workload, segment))].map(
    (host) => `--web.listen-address=${host}:${port}`,
  );
