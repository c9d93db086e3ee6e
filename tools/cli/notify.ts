import { command, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";

const TIMEOUT_MS = 10_000;

export const notifyCommand = command(
  {
    usage: "TEXT",
    about:
      "Posts a message to Slack by the incoming webhook in the environment's SLACK_WEBHOOK_URL; if that is unset, it only says so.",
    options: {},
    positionals: true,
    changes: "nothing",
  },
  async (_, words) => {
    if (words.length === 0) throw new UserError(`give a text`, USAGE);
    const webhook = process.env.SLACK_WEBHOOK_URL;
    if (webhook === undefined || webhook === "") {
      say("no SLACK_WEBHOOK_URL: no message is sent");
      return 0;
    }
    if (!URL.canParse(webhook)) throw new UserError("SLACK_WEBHOOK_URL is no URL");
    // Slack's own escapes: a branch name must not become a link or a mention.
    const text = words.join(" ").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    const answer = await fetch(webhook, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch(() => undefined);
    // The URL is a secret, so no error of fetch, which may name it, is passed on.
    if (answer?.ok !== true) throw new UserError(`Slack did not take the message (${answer?.status ?? "no answer"})`);
    return 0;
  },
);
