/** A file that a command writes. */
export interface PayloadFile {
  readonly path: string;
  readonly content: string;
}

const LINE = /^(\S+) ([A-Za-z0-9+/]*={0,2})$/;

/** The files of a command's stdin, whose lines are a path and the content in base64; undefined when it is something else. */
export function payloadFiles(stdin: string): readonly PayloadFile[] | undefined {
  const lines = stdin.split("\n").filter((line) => line !== "");
  const files = lines.flatMap((line) => {
    const [, path, content] = LINE.exec(line) ?? [];
    return path === undefined || content === undefined
      ? []
      : [{ path, content: Buffer.from(content, "base64").toString("utf8") }];
  });
  return files.length === lines.length && files.length > 0 ? files : undefined;
}

/** Whether a file holds one secret and nothing else, as the credentials' files do. */
export function isCredentialFile({ path, content }: PayloadFile): boolean {
  const folder = path.split("/").slice(0, -1).join("/");
  const name = path.split("/").at(-1) ?? "";
  return (
    /(^|[/-])(secrets?|credentials?)([/-]|$)/.test(folder) &&
    !/\.(json|ya?ml|toml|ini|conf|cfg|acl|sql|sh|env|pem|crt|html?)$/i.test(name) &&
    !content.trim().includes("\n")
  );
}

/** Whether a file is a program, in which `token = next()` gives nothing away. */
export function isProgram(path: string): boolean {
  return /\.(ts|js|mjs|cjs|py|go|lua|rs|rb)$/i.test(path);
}

/** Whether a file is a script, in which a name may stand before what makes the secret and not before the secret. */
export function isScript(path: string): boolean {
  return /\.(sh|sql|psql|md|txt|html)$/i.test(path);
}
