import { createHash, createHmac } from "node:crypto";

/** A bucket, with who asks. */
export interface Bucket {
  /** `https://HOST/BUCKET`. */
  readonly url: string;
  /** The folder of the repository, without slashes around it; empty for the bucket itself. */
  readonly folder: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** A repository's place in restic's form: `s3:https://HOST/BUCKET[/FOLDER]`. */
export function bucketOf(repository: string): Pick<Bucket, "url" | "folder"> {
  const { origin, pathname } = new URL(repository.slice("s3:".length));
  const [bucket = "", ...folder] = pathname.split("/").filter((part) => part !== "");
  return { url: `${origin}/${bucket}`, folder: folder.join("/") };
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
const TIMEOUT_MS = 30_000;

/** The region that a host name of AWS's says; undefined for another provider's. */
export const awsRegion = (host: string): string | undefined => /^s3[.-]([a-z0-9-]+)\.amazonaws\.com$/.exec(host)?.[1];

/** Elsewhere the name of a region means nothing. */
export const DEFAULT_REGION = "us-east-1";

/** One request, signed as AWS Signature Version 4 wants it. @returns status and body, whatever the status */
export async function s3(
  bucket: Bucket,
  method: "GET" | "PUT" | "DELETE",
  path: string,
  query: Readonly<Record<string, string>> = {},
  body = "",
): Promise<{ readonly status: number; readonly body: string }> {
  const encoded = (text: string) =>
    encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const url = new URL(bucket.url);
  url.pathname = [url.pathname, ...path.split("/").filter((part) => part !== "")]
    .map((part, index) => (index === 0 ? part : encoded(part)))
    .join("/");
  const search = Object.entries(query)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${encoded(key)}=${encoded(value)}`)
    .join("&");
  const time = `${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  const scope = `${time.slice(0, 8)}/${awsRegion(url.hostname) ?? DEFAULT_REGION}/s3/aws4_request`;
  const hash = sha256(body);
  const headers = { host: url.host, "x-amz-content-sha256": hash, "x-amz-date": time };
  const names = Object.keys(headers).join(";");
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const request = [method, url.pathname, search, lines.join(""), names, hash].join("\n");
  const key = scope.split("/").reduce<string | Buffer>((from, part) => hmac(from, part), `AWS4${bucket.secretKey}`);
  const signature = hmac(key, ["AWS4-HMAC-SHA256", time, scope, sha256(request)].join("\n")).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${bucket.accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  const answer = await fetch(`${url.origin}${url.pathname}${search === "" ? "" : `?${search}`}`, {
    method,
    headers: { "x-amz-content-sha256": hash, "x-amz-date": time, authorization },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body === "" ? {} : { body }),
  });
  return { status: answer.status, body: await answer.text() };
}

/** An object that no repository has: restic names what it saves by its hash. */
const NO_SNAPSHOT = "0".repeat(64);

/**
 * Why a client with these credentials could remove a copy, or overwrite it for good; empty when they cannot.
 * Nothing is removed: what it asks to delete does not exist, and permission is asked first.
 */
export async function removable(bucket: Bucket): Promise<string[]> {
  const absent = [bucket.folder, "snapshots", NO_SNAPSHOT].filter((part) => part !== "").join("/");
  const [deleted, version, versioning] = await Promise.all([
    s3(bucket, "DELETE", absent),
    s3(bucket, "DELETE", absent, { versionId: "null" }),
    s3(bucket, "GET", "", { versioning: "" }),
  ]);
  return [
    ...(deleted.status === 403 ? [] : [`its key may delete (HTTP ${deleted.status})`]),
    ...(version.status === 403 ? [] : [`its key may delete versions (HTTP ${version.status})`]),
    ...(/<Status>Enabled<\/Status>/.test(versioning.body)
      ? []
      : [`the bucket keeps no former versions of an object (HTTP ${versioning.status})`]),
  ];
}

/** What the backup's own identity may do: add, read, list; and remove its locks, which hold no data. */
export function writerPolicy({ url, folder }: Pick<Bucket, "url" | "folder">): object {
  return policy(url, [
    ["ReadAndAdd", ["s3:GetObject", "s3:PutObject"], `${prefix(folder)}*`],
    ["RemoveItsLocks", ["s3:DeleteObject"], `${prefix(folder)}locks/*`],
  ]);
}

/** What the identity that prunes may do. Its key is never on the host. */
export function prunerPolicy({ url, folder }: Pick<Bucket, "url" | "folder">): object {
  return policy(url, [["ReadAddRemove", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], `${prefix(folder)}*`]]);
}

const prefix = (folder: string) => (folder === "" ? "" : `${folder}/`);

function policy(url: string, rights: readonly (readonly [string, readonly string[], string])[]): object {
  const bucket = `arn:aws:s3:::${new URL(url).pathname.slice(1)}`;
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "List",
        Effect: "Allow",
        Action: ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetBucketVersioning"],
        Resource: bucket,
      },
      ...rights.map(([Sid, Action, path]) => ({ Sid, Effect: "Allow", Action, Resource: `${bucket}/${path}` })),
    ],
  };
}
