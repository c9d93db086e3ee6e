import type { FileTree } from "../runtime/files.ts";
import type { CredentialName } from "./catalogue.ts";
import type { Credentials } from "./credentials.ts";

/** A file per credential, named after it; credentials that are not supplied are left out. */
export function credentialFiles(credentials: Credentials, reader: string, names: readonly CredentialName[]): FileTree {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = credentials.read(reader, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
