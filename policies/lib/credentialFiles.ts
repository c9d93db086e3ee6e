import { type CredentialName, credentialNames } from "../../components/credentials/catalogue.ts";
import { deliveryOf } from "../../components/platform/delivery.ts";
import type { PayloadFile } from "./payload.ts";

function fileNames(name: CredentialName): readonly string[] {
  try {
    const delivery = deliveryOf(name);
    if ("env" in delivery)
      return [name, delivery.env, ...("previousEnv" in delivery ? [String(delivery.previousEnv)] : [])];
    return [name, delivery.file, ...(delivery.previous === undefined ? [] : [delivery.previous.file])];
  } catch {
    // No service may have it, so it has no name of a service's file.
    return [name];
  }
}

const byFile = new Map<string, CredentialName[]>();
for (const name of credentialNames) {
  for (const file of fileNames(name)) byFile.set(file, [...(byFile.get(file) ?? []), name]);
}

/** The credentials that a file of this name can hold: several services call their own one POSTGRES_PASSWORD. */
export function credentialsOfFile(file: PayloadFile): readonly CredentialName[] {
  return byFile.get(file.path.split("/").at(-1) ?? "") ?? [];
}
