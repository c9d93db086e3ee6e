/** The kind of a route's content: it decides what its pages may load. */
export type Content =
  /** Answers for programs: never a page. */
  | "data"
  /** A web application with scripts in its page. */
  | "pages"
  /** Grafana, whose panels compile code. */
  | "grafana";

/** The security headers of every answer (OWASP Secure Headers Project), which replace those of the service behind. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "X-Permitted-Cross-Domain-Policies": "none",
  "Referrer-Policy": "strict-origin-when-cross-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
};

type Sources = Readonly<Record<string, readonly string[]>>;

const closed: Sources = { "default-src": ["'none'"], "base-uri": ["'none'"], "form-action": ["'none'"] };

const pages: Sources = {
  "default-src": ["'self'"],
  // Each of the applications writes its settings into its page as a script.
  "script-src": ["'self'", "'unsafe-inline'"],
  "style-src": ["'self'", "'unsafe-inline'"],
  "img-src": ["'self'", "data:", "blob:"],
  "font-src": ["'self'", "data:"],
  "worker-src": ["'self'", "blob:"],
  "object-src": ["'none'"],
  "base-uri": ["'self'"],
  "form-action": ["'self'"],
};

const sources: Readonly<Record<Content, Sources>> = {
  data: closed,
  pages,
  grafana: { ...pages, "script-src": ["'self'", "'unsafe-inline'", "'unsafe-eval'"] },
};

/** The Content-Security-Policy of a route: in no case may another site frame it, or be loaded from. */
export function contentPolicy(content: Content): string {
  return Object.entries({ ...sources[content], "frame-ancestors": ["'none'"] })
    .map(([directive, allowed]) => `${directive} ${allowed.join(" ")}`)
    .join("; ");
}
