import { commandLine } from "../../components/configCommand.ts";
import { ensureDocker } from "../bootstrap/docker/docker.ts";
import { unasked } from "../lib/ask.ts";
import { command, STACK, YES } from "../lib/command.ts";
import { repairInterrupted } from "../lib/interrupted.ts";
import { say } from "../lib/log.ts";
import { tellKillSwitch } from "../lib/platformSwitch.ts";
import { prepareHealthChecks, prepareImages } from "../lib/prepare.ts";
import { bringBack } from "../lib/removedByHand.ts";
import { rollOut } from "../lib/rollover.ts";
import { update } from "../lib/update.ts";
import { ensureLocalStack, openWorkspace, outputs, setConfig } from "../lib/workspace.ts";

export const upCommand = command(
  {
    about:
      "Starts a stack, or updates it to what its config says, and prints its addresses. It asks nothing for this machine's stacks.",
    options: {
      install: { type: "boolean", says: "allow to install what is missing (Docker, on Debian)" },
      stack: {
        ...STACK,
        says: `${STACK.says}; staging and production are asked about unless --yes is given`,
      },
      "http-port": {
        type: "string",
        value: "N",
        says: "publish plain HTTP here (local stacks; kept in the stack's config)",
      },
      "https-port": {
        type: "string",
        value: "N",
        says: "publish HTTPS here (local stacks; kept in the stack's config)",
      },
      "new-volume": {
        type: "string",
        multiple: true,
        default: [],
        value: "NAME",
        says: "make a volume again that was removed by hand, empty. May be given several times",
      },
      yes: YES,
    },
    changes: ({ stack }) => stack,
  },
  async (values) => {
    const start = Date.now();
    const workspace = await openWorkspace(values.stack);
    if (workspace.local) {
      await ensureDocker({ install: unasked(values.install) });
      await ensureLocalStack(workspace);
      const { "http-port": httpPort, "https-port": httpsPort } = values;
      await setConfig(workspace, {
        ...(httpPort === undefined ? {} : { httpPort }),
        ...(httpsPort === undefined ? {} : { httpsPort }),
      });
      await prepareImages(workspace);
      await prepareHealthChecks(workspace);
    }
    if (values["new-volume"].length > 0)
      await bringBack(workspace, await repairInterrupted(workspace), values["new-volume"]);
    const bringUp = () => update(workspace, workspace.local || unasked(values.yes));
    await rollOut(workspace, bringUp);
    if (workspace.local) await printWhereToLook(values.stack);
    say(`done in ${Math.round((Date.now() - start) / 1000)} s`);
    await tellKillSwitch(values.stack);
    return 0;

    async function printWhereToLook(stack: string): Promise<void> {
      const out = await outputs(workspace);
      say(`
The platform is up (${out.trading} trading).

  health        ${out.url}/health
  API           ${out.url}/api/
  Grafana       ${out.grafanaUrl}       login admin
  Prometheus    ${out.prometheusUrl}    login admin
  Alertmanager  ${out.alertmanagerUrl}  login admin
  Jaeger        ${out.jaegerUrl}        login admin

  Grafana's password      ${commandLine(stack, "pulumi stack output grafanaPassword --show-secrets")}
  the admin login's       ${commandLine(stack, "pulumi stack output adminPassword --show-secrets")}
  what runs, what is due  ${commandLine(stack, "status")}
  take it all down        ${commandLine(stack, "down")}

The certificate is Caddy's own: a browser warns, and curl wants --insecure.`);
      const standIns = out.standIns as string[];
      if (standIns.length > 0)
        say(`Stand-ins run for ${standIns.length} services, since \`release\` names no image: they trade nothing.\n`);
    }
  },
);
