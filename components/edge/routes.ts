import { type ServiceSpec, serviceNames, services } from "../platform/catalogue.ts";
import type { Route } from "./caddyfile.ts";

/** The services' own routes, from their catalogue. */
const serviceRoutes: readonly Route[] = serviceNames.flatMap((name) => {
  const { routes, port }: ServiceSpec = services[name];
  return routes === undefined
    ? []
    : [{ paths: routes.map((prefix) => `${prefix}/*`), upstream: `${name}:${port}`, content: "data", login: false }];
});

/** What answers at the edge. Whatever is not listed is not reachable from outside. */
export const routes: readonly Route[] = [
  ...serviceRoutes,
  { paths: ["/grafana", "/grafana/*"], upstream: "grafana:3000", content: "grafana", login: false },
  { paths: ["/prometheus", "/prometheus/*"], upstream: "prometheus:9090", content: "pages", login: true },
  { paths: ["/alertmanager", "/alertmanager/*"], upstream: "alertmanager:9093", content: "pages", login: true },
  { paths: ["/jaeger", "/jaeger/*"], upstream: "jaeger:16686", content: "pages", login: true },
];
