import { type ServiceSpec, serviceNames, services } from "../platform/catalogue.ts";
import { anyRequest, type Route } from "./route.ts";

/** The services' own routes, from their catalogue. */
const serviceRoutes: readonly Route[] = serviceNames.flatMap((name) => {
  const { routes, port }: ServiceSpec = services[name];
  if (routes === undefined) return [];
  const paths = routes.map((prefix) => `${prefix}/*`);
  return [{ paths, upstream: `${name}:${port}`, content: "data", admin: false, login: false, attempts: [anyRequest] }];
});

/** Settings of every page for administrators except Grafana, which has its own login. */
const adminPage = { content: "pages", admin: true, login: true } as const;

/** The routes of the edge. What is not listed is not reachable from outside. */
export const routes: readonly Route[] = [
  ...serviceRoutes,
  {
    paths: ["/grafana", "/grafana/*"],
    upstream: "grafana:3000",
    content: "grafana",
    admin: true,
    login: false,
    attempts: [
      { kind: "grafana-login", match: ["path /grafana/login*", "not method GET HEAD"] },
      { kind: "grafana-token", match: ["header Authorization *"] },
    ],
    closed: ["/grafana/metrics", "/grafana/metrics/*"],
  },
  { ...adminPage, paths: ["/prometheus", "/prometheus/*"], upstream: "prometheus:9090" },
  { ...adminPage, paths: ["/alertmanager", "/alertmanager/*"], upstream: "alertmanager:9093" },
  { ...adminPage, paths: ["/jaeger", "/jaeger/*"], upstream: "jaeger:16686" },
];
