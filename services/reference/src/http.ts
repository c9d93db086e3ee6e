import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { type Log, reason } from "./log.ts";
import type { CommonMetrics } from "./metrics.ts";
import { contextOf, inSpan } from "./tracing.ts";

const MAX_BODY_BYTES = 64 * 1024;

/** An answer that is not a success, thrown from anywhere in a handler. */
export class HttpError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is, anything else as JSON. */
  readonly body: unknown;
}

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Values of the pattern's `:names`. */
  readonly params: Readonly<Record<string, string>>;
  /** Address of the socket's other end. */
  readonly peer: string;
  header(name: string): string | undefined;
  /** The body as a JSON object. */
  json(): Promise<Record<string, unknown>>;
}

export type Handler = (request: Request) => Promise<Answer>;

interface Route {
  readonly method: string;
  readonly pattern: string;
  readonly handler: Handler;
  /** Probes and scrapes are not traced: they would drown the orders. */
  readonly traced: boolean;
}

/** Matches a path with a pattern such as /api/orders/:id; undefined when it does not match. */
export function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith(":") && value !== "") params[part.slice(1)] = value;
    else if (part !== value) return undefined;
  }
  return params;
}

async function readJson(message: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new HttpError(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Answered below, like any other body that is no object.
  }
  throw new HttpError(400, "the body must be a JSON object");
}

/** A small HTTP server: routes in a table, one span and one measurement a request, a stop that fails no request. */
export class HttpServer {
  readonly #routes: Route[] = [];
  /** One for each address that it listens on. */
  readonly #servers: Server[] = [];
  readonly #log: Log;
  readonly #metrics: CommonMetrics;
  #draining = false;

  constructor(log: Log, metrics: CommonMetrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  #make(): Server {
    return createServer(
      { requestTimeout: 15_000, headersTimeout: 5_000, maxHeaderSize: 16_384 },
      (message, response) => {
        void this.#serve(message, response);
      },
    );
  }

  route(method: string, pattern: string, handler: Handler, traced = true): void {
    this.#routes.push({ method, pattern, handler, traced });
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** @param hosts addresses to listen on; undefined among them stands for all */
  async listen(port: number, hosts: readonly (string | undefined)[] = [undefined]): Promise<number> {
    for (const host of hosts) {
      const server = this.#make();
      this.#servers.push(server);
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, resolve);
      });
    }
    const address = this.#servers[0]?.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  /** From now on /health is red and each answer ends its connection, so that the edge turns to another replica. */
  drain(): void {
    this.#draining = true;
  }

  /** Takes no new connection and waits for the requests in flight. */
  async close(): Promise<void> {
    this.drain();
    await Promise.all(
      this.#servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeIdleConnections();
          }),
      ),
    );
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const method = message.method ?? "GET";
    // Only the path and the query of the target are used; the host part is a placeholder.
    const url = URL.canParse(message.url ?? "", "http://self") ? new URL(message.url ?? "", "http://self") : undefined;
    const path = url?.pathname ?? "";
    const candidates = this.#routes.filter((route) => matchPath(route.pattern, path) !== undefined);
    const route = candidates.find((candidate) => candidate.method === method);
    const request: Request = {
      method,
      path,
      query: url?.searchParams ?? new URLSearchParams(),
      params: (route && matchPath(route.pattern, path)) ?? {},
      peer: message.socket.remoteAddress ?? "",
      header: (name) => {
        const value = message.headers[name.toLowerCase()];
        return Array.isArray(value) ? value.join(", ") : value;
      },
      json: () => readJson(message),
    };
    // An unknown path is not a label: anyone could make endless series.
    const label = route?.pattern ?? "unmatched";
    const work = async (): Promise<Answer> => {
      if (route === undefined) throw new HttpError(candidates.length > 0 ? 405 : 404, "there is nothing here");
      return await route.handler(request);
    };
    const answer = await (route?.traced === true
      ? inSpan(`${method} ${label}`, { kind: SpanKind.SERVER, parent: contextOf(request.header) }, (span) =>
          this.#answered(work).then((given) => {
            if ((given.status ?? 200) >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
            span.setAttributes({
              "http.request.method": method,
              "http.route": label,
              "http.response.status_code": given.status ?? 200,
            });
            return given;
          }),
        )
      : this.#answered(work));
    const status = answer.status ?? 200;
    this.#send(response, status, answer);
    this.#metrics.requests.inc({ method, path: label, status: String(status) });
    this.#metrics.requestSeconds.observe({ method, path: label }, (performance.now() - started) / 1000);
  }

  async #answered(work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof HttpError)
        return { status: error.status, headers: error.headers, body: { error: error.message } };
      this.#log.error("request failed", { error: reason(error) });
      return { status: 503, headers: { "retry-after": "1" }, body: { error: "temporarily not possible; try again" } };
    }
  }

  #send(response: ServerResponse, status: number, answer: Answer): void {
    const isText = typeof answer.body === "string";
    response.writeHead(status, {
      "content-type": isText ? "text/plain; charset=utf-8" : "application/json",
      "x-stand-in": "true",
      "cache-control": "no-store",
      ...(this.#draining ? { connection: "close" } : {}),
      ...answer.headers,
    });
    response.end(isText ? answer.body : `${JSON.stringify(answer.body)}\n`);
  }
}
