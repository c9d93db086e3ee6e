import { grantedTo } from "../../components/credentials/grants.ts";
import { credentialsOfFile } from "../lib/credentialFiles.ts";
import { payloadFiles } from "../lib/payload.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { COMMANDS } from "../lib/types.ts";
import { text } from "../lib/value.ts";
import { workloadOfFiles } from "../lib/workloadFiles.ts";

export const credentialFilesGranted: ResourceRule = {
  name: "credential-files-granted",
  title: "The files of a workload hold only credentials that it is granted",
  level: "mandatory",
  severity: "critical",
  why: "The old installation gave every secret to every service: one compromised service exposed all of them.",
  fix: "remove the file, or grant the credential in components/credentials",
  types: COMMANDS,
  *check({ name, props }) {
    const workload = workloadOfFiles(name);
    if (workload === undefined) return;
    const granted: readonly string[] = grantedTo(workload);
    for (const file of payloadFiles(text(props.stdin) ?? "") ?? []) {
      const possible = credentialsOfFile(file);
      if (possible.length > 0 && !possible.some((credential) => granted.includes(credential))) {
        const problem = `holds the credential ${possible.join(" or ")}, which ${workload} is not granted`;
        yield { key: `stdin file ${file.path}`, problem };
      }
    }
  },
};
