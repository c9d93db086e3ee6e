import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { dirname, join } from "node:path";
import { run } from "../../../tools/lib/run.ts";
import { closeServer, type Handler, listen, portOf, serve } from "./serve.ts";

/** git's own server behind github.com's name: everybody may fetch, and who pushes needs the token. */
export interface GitServer {
  /** The proxy by which git reaches it; no other host is reached by that. */
  readonly proxy: string;
  /** The file of the certificate for github.com, of the test's own. */
  readonly certificate: string;
  /** Makes an empty repository, and answers its folder. */
  addRepository(name: string): Promise<string>;
  stop(): Promise<void>;
}

export async function startGitServer(folder: string, token: string): Promise<GitServer> {
  const repositories = join(folder, "repositories");
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=github.com", "-addext", "subjectAltName=DNS:github.com", "-keyout", key, "-out", certificate],
  ]);
  const tls = { key: readFileSync(key), cert: readFileSync(certificate) };
  const secure = createSecureServer(tls, serve(backend(repositories, token)));
  const proxy = createServer((_, response) => response.writeHead(403).end());
  proxy.on("connect", ({ url }: IncomingMessage, socket) => {
    if (url !== "github.com:443") {
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    secure.emit("connection", socket);
  });
  await listen(proxy, 0);
  return {
    proxy: `http://127.0.0.1:${portOf(proxy)}`,
    certificate,
    async addRepository(name) {
      const path = join(repositories, name);
      mkdirSync(dirname(path), { recursive: true });
      await run("git", ["init", "--quiet", "--bare", "--initial-branch", "main", path]);
      // GitHub hands out each commit by its hash.
      await run("git", ["-C", path, "config", "uploadpack.allowAnySHA1InWant", "true"]);
      return path;
    },
    async stop() {
      await closeServer(proxy);
      await closeServer(secure);
    },
  };
}

/** Hands a request to git-http-backend(1), by CGI. */
function backend(repositories: string, token: string): Handler {
  const login = Buffer.from(`x-access-token:${token}`).toString("base64");
  return async (request, response) => {
    const { pathname, search } = new URL(request.url ?? "/", "https://github.com");
    const given = request.headers.authorization;
    const pushes = `${pathname}${search}`.includes("git-receive-pack");
    // A wrong login is refused, also by a repository that needs none.
    if (given === undefined ? pushes : given.replace(/^basic /i, "") !== login) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="GitHub"' }).end();
      return;
    }
    const child = spawn("git", ["http-backend"], {
      stdio: ["pipe", "pipe", "inherit"],
      env: {
        PATH: process.env.PATH,
        GIT_PROJECT_ROOT: repositories,
        GIT_HTTP_EXPORT_ALL: "1",
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
        // Who is somebody may push.
        ...(given === undefined ? {} : { REMOTE_USER: "x-access-token" }),
      },
    });
    request.pipe(child.stdin.on("error", () => undefined));
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf("\r\n\r\n");
    for (const line of answer.subarray(0, end).toString().split("\r\n")) {
      const [name = "", value = ""] = line.split(": ", 2);
      if (name === "Status") response.statusCode = Number(value.slice(0, 3));
      else response.setHeader(name, value);
    }
    response.end(answer.subarray(end + 4));
  };
}
