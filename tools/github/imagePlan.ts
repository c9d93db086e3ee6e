import { join } from "node:path";
import { applicationNames, applications, isApplication } from "../../components/platform/applications/index.ts";
import { command, USAGE } from "../lib/command.ts";
import { imagePlan } from "../lib/imagePlan.ts";
import { UserError } from "../lib/log.ts";
import { StackFile } from "../lib/stackFile.ts";
import { root } from "../lib/workspace.ts";

await command(
  {
    about: `Prints what the workflow \`images\` builds for a stack, by the table of its application: the lines
repository=, branch= and images=, the last as JSON with a service, its Dockerfile, its context and its image's name each.`,
    options: { stack: { type: "string", default: "staging", value: "NAME", says: "the stack (default staging)" } },
    changes: "nothing",
  },
  async ({ stack }) => {
    if (!/^[a-z][a-z0-9-]*$/.test(stack)) throw new UserError(`"${stack}" is no stack name`, USAGE);
    const path = `Pulumi.${stack}.yaml`;
    const name = new StackFile(join(root, path)).application();
    if (!isApplication(name))
      throw new UserError(`${path}: application is ${name}, and there are ${applicationNames.join(", ")}`);
    const { build } = applications[name];
    if (build === undefined)
      throw new UserError(
        `${path}: the application ${name} does not say where its images are built from: set \`build\` in its table (docs/application.md)`,
      );
    const { repository, branch, images } = imagePlan(build);
    process.stdout.write(`repository=${repository}\nbranch=${branch}\nimages=${JSON.stringify(images)}\n`);
    return 0;
  },
).run("node tools/github/imagePlan.ts", process.argv.slice(2));
