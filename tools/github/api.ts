import { UserError } from "../lib/log.ts";

/** GitHub's REST API, as far as a repository's rules need it. */
export interface GitHub {
  /** Answers undefined where there is no such thing (404). */
  get<T>(path: string): Promise<T | undefined>;
  send(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: object): Promise<void>;
}

/** @param base such as https://api.github.com */
export function github(base: string, token: string): GitHub {
  const ask = async (method: string, path: string, body?: object): Promise<Response> => {
    const answer = await fetch(`${base}/${path}`, {
      method,
      headers: {
        accept: "application/vnd.github+json",
        authorization: `Bearer ${token}`,
        "x-github-api-version": "2022-11-28",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    if (answer.ok || (method === "GET" && answer.status === 404)) return answer;
    const { message = "" } = (await answer.json().catch(() => ({}))) as { message?: string };
    throw new UserError(`${method} ${path}: GitHub answers ${answer.status} ${message}`);
  };
  return {
    get: async <T>(path: string) => {
      const answer = await ask("GET", path);
      return answer.status === 404 ? undefined : ((await answer.json()) as T);
    },
    send: async (method, path, body) => {
      await ask(method, path, body);
    },
  };
}
