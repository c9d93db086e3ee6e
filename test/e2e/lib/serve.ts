import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Answers a request; what it throws is an answer, too. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export function serve(handler: Handler): RequestListener {
  return (request, response) => {
    handler(request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  };
}

/** A server on the loopback, or at a socket's path. */
export async function startServer(handler: Handler, where: string | number = 0): Promise<Server> {
  const server = createServer(serve(handler));
  await listen(server, where);
  return server;
}

export async function listen(server: Server, where: string | number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if (typeof where === "string") server.listen(where, resolve);
    else server.listen(where, "127.0.0.1", resolve);
  });
}

export const portOf = (server: Server): number => (server.address() as AddressInfo).port;

export async function closeServer(server: Pick<Server, "close" | "closeAllConnections">): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

export function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
