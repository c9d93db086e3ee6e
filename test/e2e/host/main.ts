import { command, USAGE } from "../../../tools/lib/command.ts";
import { UserError } from "../../../tools/lib/log.ts";
import { rebootHost, removeHost, startHost } from "./host.ts";

await command(
  {
    usage: "up | down | reboot",
    about:
      "A Debian 13 system with nothing but sshd and a key, like a fresh virtual server, in a container of this machine's Docker.",
    words: {
      up: "throws a host of that name away, starts a fresh one, and prints how to reach it as JSON",
      down: "throws it away",
      reboot: "reboots it, and waits until it is back",
    },
    options: {
      name: {
        type: "string",
        default: "autollm-test-host",
        value: "NAME",
        says: "its name (default autollm-test-host)",
      },
    },
    positionals: true,
    changes: "nothing",
  },
  async ({ name }, [action]) => {
    switch (action) {
      case "up":
        process.stdout.write(`${JSON.stringify(await startHost(name), null, 2)}\n`);
        return 0;
      case "down":
        await removeHost(name);
        return 0;
      case "reboot":
        await rebootHost(name);
        return 0;
      default:
        throw new UserError(`say up, down or reboot`, USAGE);
    }
  },
).run("npx node test/e2e/host/main.ts", process.argv.slice(2));
