import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { TLSSocket } from "node:tls";
import { applicationNames, applications, isApplication } from "../../components/platform/applications/index.ts";
import { command, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { type Answer, type Ask, parseBase, smoke } from "../lib/smoke.ts";

/** How long one answer may take. */
const TIMEOUT_MS = 10_000;
/** Bodies are looked at, not kept: what is longer is cut. */
const MAX_BODY = 64 * 1024;

/** One GET, with the certificate that the other side showed. Redirects are answers, not followed. */
function asker(insecure: boolean): Ask {
  return ({ url, headers = {} }) =>
    new Promise((resolve, reject) => {
      const options = { headers, timeout: TIMEOUT_MS, agent: false };
      const call = url.startsWith("https:")
        ? httpsRequest(url, { ...options, rejectUnauthorized: !insecure })
        : httpRequest(url, options);
      call.on("timeout", () => call.destroy(new Error(`no answer from ${url} within ${TIMEOUT_MS / 1000} s`)));
      call.on("error", (error: NodeJS.ErrnoException) =>
        reject(new Error(error.message === "" ? `${url} cannot be reached (${error.code})` : error.message)),
      );
      call.on("response", (response) => {
        const { socket } = response;
        const certificate =
          socket instanceof TLSSocket
            ? { validTo: socket.getPeerCertificate().valid_to, protocol: socket.getProtocol() ?? "unknown" }
            : undefined;
        let body = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          if (body.length < MAX_BODY) body += chunk;
        });
        response.on("end", () => {
          const answer: Answer = { status: response.statusCode ?? 0, headers: response.headers, body };
          resolve(certificate === undefined ? answer : { ...answer, certificate });
        });
        response.on("error", reject);
      });
      call.end();
    });
}

function portOf(text: string | undefined, base: URL): number | undefined {
  if (text === undefined) return base.port === "" ? 80 : undefined;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new UserError(`"${text}" is no port`, USAGE);
  return port;
}

export const smokeCommand = command(
  {
    usage: "https://HOST[:PORT]",
    about: `Checks that a running environment answers, and is closed where it must be. It only reads: every request is a GET.
Ends with 1 if a check failed.`,
    positionals: true,
    options: {
      application: {
        type: "string",
        default: "conventions",
        value: "NAME",
        choices: applicationNames,
        says: `whose pages are requested: ${applicationNames.join(", ")} (default: conventions)`,
      },
      insecure: {
        type: "boolean",
        says: "accept a certificate of no known authority, such as Caddy's own on a local stack",
      },
      "http-port": {
        type: "string",
        value: "N",
        says: "where plain HTTP is published (default: 80, for an https:// URL without a port)",
      },
      json: { type: "boolean", says: 'print {"url", "ok", "checks": [{"name", "outcome", "detail"}]}' },
    },
    changes: "nothing",
  },
  async ({ application, insecure = false, "http-port": httpPort, json }, [text, ...more]) => {
    if (text === undefined || more.length > 0) throw new UserError(`give one URL`, USAGE);
    const base = parseBase(text);
    if (typeof base === "string") throw new UserError(base, USAGE);
    if (!isApplication(application))
      throw new UserError(`--application: ${application} is none of ${applicationNames.join(", ")}`, USAGE);
    const { token } = applications[application].smoke;
    const options = { token, base, httpPort: portOf(httpPort, base), insecure, now: Date.now() };
    const checks = await smoke(options, asker(insecure));
    const failed = checks.filter(({ outcome }) => outcome === "failed").length;
    if (json) {
      process.stdout.write(`${JSON.stringify({ url: base.origin, ok: failed === 0, checks }, undefined, 2)}\n`);
    } else {
      const width = Math.max(...checks.map(({ name }) => name.length)) + 2;
      for (const { name, outcome, detail } of checks)
        process.stdout.write(`${outcome.padEnd(8)}${name.padEnd(width)}${detail}\n`);
    }
    const passed = checks.filter(({ outcome }) => outcome === "ok").length;
    say(`${base.origin}: ${passed} ok, ${failed} failed, ${checks.length - passed - failed} skipped`);
    return failed === 0 ? 0 : 1;
  },
);
