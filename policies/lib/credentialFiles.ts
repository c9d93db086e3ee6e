import { type CredentialName, credentialNames, credentialSpec } from "../../components/credentials/catalogue.ts";
import type { PayloadFile } from "./payload.ts";

function fileNames(name: CredentialName): readonly string[] {
  const { delivery } = credentialSpec(name);
  // No service may have it, so it has no name of a service's file.
  if (delivery === undefined) return [name];
  const names = "env" in delivery ? [delivery.env, delivery.previousEnv] : [delivery.file, delivery.previous?.file];
  return [name, ...names.filter((each) => each !== undefined)];
}

const byFile = new Map<string, CredentialName[]>();
for (const name of credentialNames) {
  for (const file of fileNames(name)) byFile.set(file, [...(byFile.get(file) ?? []), name]);
}

/** The credentials that a file of this name can hold: several services call their own one POSTGRES_PASSWORD. */
export function credentialsOfFile(file: PayloadFile): readonly CredentialName[] {
  return byFile.get(file.path.split("/").at(-1) ?? "") ?? [];
}
