import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../tools/lib/run.ts";

/** Builds an image of a few files; answers its tag. */
export async function builtImage(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const tag = `autollm.test/${name}:1`;
  const folder = mkdtempSync(join(tmpdir(), `autollm-${name}-`));
  try {
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    if (files["main.go"] !== undefined)
      await run("go", ["build", "-o", "program", "main.go"], { cwd: folder, env: { CGO_ENABLED: "0", GOWORK: "off" } });
    await run("docker", ["build", "--quiet", "--tag", tag, folder], { env: { DOCKER_BUILDKIT: "0" } });
    return tag;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A static program without anything beside it. */
export const goImage = () =>
  builtImage("static-go", {
    "main.go": `package main

import "net/http"

func main() {
	http.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) })
	http.ListenAndServe(":8073", nil)
}
`,
    Dockerfile: 'FROM scratch\nCOPY program /program\nENTRYPOINT ["/program"]\n',
  });

/** One file, and no shell. */
export const imageWithoutShell = () =>
  builtImage("no-shell", { Dockerfile: 'FROM scratch\nCOPY Dockerfile /program\nENTRYPOINT ["/program"]\n' });

/** The reference service, started by a line of shell. */
export const startedBy = (name: string, reference: string, line: string) =>
  builtImage(name, { Dockerfile: `FROM ${reference}\nCMD ["/bin/sh", "-c", ${JSON.stringify(line)}]\n` });
