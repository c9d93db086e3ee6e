import { existsSync, readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { keyFile } from "./keyFile.ts";

/** The key pair of the deployments. The private half is nobody's to know but an SSH client's: none is in program or state. */
export interface KeyPair {
  /** `type base64`, without the comment. */
  readonly publicKey: string;
}

const HINT = "A preview needs the deployments' public key there, and no private one";

/** `type base64`, without the comment. */
function publicKeyIn(text: string): string {
  return text.trim().split(/\s+/).slice(0, 2).join(" ");
}

function read(path: string, hint: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new pulumi.RunError(`host.privateKeyPath: ${path} cannot be read (${(error as Error).message}). ${hint}`);
  }
}

const MAGIC = "openssh-key-v1\0";

/** The parts of OpenSSH's own form of a private key that are never encrypted (its PROTOCOL.key); undefined of another form. */
export function openSshHeader(privateKey: string): { readonly cipher: string; readonly publicKey: string } | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)-----END/.exec(privateKey)?.[1];
  if (body === undefined) return undefined;
  const bytes = Buffer.from(body, "base64");
  let offset = MAGIC.length;
  const next = (): Buffer => {
    const start = offset + 4;
    offset = start + bytes.readUInt32BE(offset);
    return bytes.subarray(start, offset);
  };
  const cipher = next().toString();
  next(); // the way from passphrase to key, and what it needs
  next();
  offset += 4; // how many keys: always one
  return { cipher, publicKey: next().toString("base64") };
}

/**
 * Reads the key pair of a path, in which a leading `~` is the home directory.
 * @throws pulumi.RunError that says how to fix it
 */
export function readKeyPair(path: string): KeyPair {
  const file = keyFile(path);
  // A preview connects to nobody: where it is given no private key, the public one says what there is to compare.
  if (pulumi.runtime.isDryRun() && !existsSync(file)) return { publicKey: publicKeyIn(read(`${file}.pub`, HINT)) };
  const privateKey = read(file, `Make one for the deployments: ssh-keygen -t ed25519 -N '' -f ${path}`);
  const publicKey = read(`${file}.pub`, `Make it from the private one: ssh-keygen -y -f ${path} > ${path}.pub`);
  const header = openSshHeader(privateKey);
  if (/Proc-Type: 4,ENCRYPTED|BEGIN ENCRYPTED/.test(privateKey) || (header?.cipher ?? "none") !== "none") {
    throw new pulumi.RunError(`host.privateKeyPath: ${path} has a passphrase; the deployments need a key without one`);
  }
  // The host would let in the other one, and the deployments no more.
  if (header !== undefined && header.publicKey !== publicKey.trim().split(/\s+/)[1]) {
    throw new pulumi.RunError(
      `host.privateKeyPath: ${path}.pub is not the public key of ${path}. Make it again: ssh-keygen -y -f ${path} > ${path}.pub`,
    );
  }
  return { publicKey: publicKeyIn(publicKey) };
}
