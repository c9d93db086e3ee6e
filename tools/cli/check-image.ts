import { applicationNames, isApplication } from "../../components/platform/applications/index.ts";
import { isServiceName, serviceNames } from "../../components/platform/catalogue.ts";
import { checkImage } from "../checkImage/check.ts";
import { judge } from "../checkImage/judge.ts";
import { Sandbox } from "../checkImage/sandbox.ts";
import { table } from "../checkImage/table.ts";
import { command, DIFFERS, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";

function releaseOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Reported below.
  }
  throw new UserError(`--release: is no JSON object`, USAGE);
}

export const checkImageCommand = command(
  {
    usage: "SERVICE IMAGE",
    about: `Runs an image of this machine's Docker as the stack would run it as SERVICE, beside a NATS, a Postgres and a Redis of its own, with
credentials made for this run, which open nothing else, and without internet access. Prints each requirement of the stack that the
image does not meet, and how to fix it. At its end, also after Ctrl-C, it removes all that it started. It changes no stack.`,
    words: { SERVICE: serviceNames.join(", "), IMAGE: "as Docker on this machine knows it" },
    choices: serviceNames,
    differs: "something falls short",
    positionals: true,
    options: {
      application: {
        type: "string",
        default: "conventions",
        value: "NAME",
        choices: applicationNames,
        says: `the table by which the image is started: ${applicationNames.join(", ")} (default: conventions)`,
      },
      release: {
        type: "string",
        default: "{}",
        value: "JSON",
        says: `what release.SERVICE would have besides the image, such as '{"command": ["python", "-m", "app"]}'`,
      },
      json: {
        type: "boolean",
        says: 'print {"service", "image", "ok", "checks": [{"check", "outcome", "detail", "fix"}]}',
      },
    },
    changes: "nothing",
  },
  async ({ application, release, json }, [service, image, ...more]) => {
    if (service === undefined || image === undefined || more.length > 0)
      throw new UserError(`give a service and an image`, USAGE);
    if (!isServiceName(service))
      throw new UserError(`"${service}" is no service; there are ${serviceNames.join(", ")}`, USAGE);
    if (!isApplication(application))
      throw new UserError(
        `--application: there is no "${application}"; there are ${applicationNames.join(", ")}`,
        USAGE,
      );
    const args = { service, image, application, release: releaseOf(release) };
    const sandbox = new Sandbox((code) => process.exit(code));
    try {
      const { seen, judged } = await checkImage(args, sandbox);
      const checks = judge(seen, judged);
      const short = checks.filter(({ outcome }) => outcome === "short").length;
      if (json === true)
        process.stdout.write(`${JSON.stringify({ service, image, ok: short === 0, checks }, undefined, 2)}\n`);
      else process.stdout.write(table(checks));
      say(
        short === 0
          ? `${image} runs as ${service}`
          : `${image} falls short as ${service} in ${short} of ${checks.length}`,
      );
      return short === 0 ? 0 : DIFFERS;
    } finally {
      await sandbox.remove();
    }
  },
);
