import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bucketOf, s3 } from "../../../services/backup/src/s3.ts";
import { buildGoProgram } from "../../../tools/bootstrap/images/goPrograms.ts";
import { run } from "../../../tools/lib/run.ts";
import { eventually } from "./http.ts";
import { freePort, hostAddress, type TestStack, testStack } from "./stack.ts";

const token = () => randomBytes(16).toString("hex");

/** Who uses an S3 server. */
export interface Identity {
  readonly accessKey: string;
  readonly secretKey: string;
}

export const identity = (name: string): Identity => ({
  accessKey: `${name}${token().slice(0, 8)}`,
  secretKey: token(),
});

/** An S3 server of a test's own on this machine, which containers reach, with a bucket. */
export class S3Server {
  readonly owner = identity("owner");
  /** The second repository, as `backup.s3` names it. */
  readonly setting: string;
  readonly bucket: ReturnType<typeof bucketOf>;
  /** Where its objects are. */
  readonly data: string;
  readonly #program: string;
  readonly #folder: string;
  readonly #address: string;
  readonly #url: string;
  #server: ChildProcess | undefined;

  private constructor(program: string, folder: string, address: string) {
    this.#program = program;
    this.#folder = folder;
    this.#address = address;
    this.data = join(folder, "data");
    this.#url = `http://${address}`;
    this.setting = `s3:${this.#url}/backups/e2e`;
    this.bucket = bucketOf(this.setting);
  }

  static async start(): Promise<S3Server> {
    const program = join(await buildGoProgram("s3-server"), "versitygw");
    const folder = mkdtempSync(join(tmpdir(), "s3-of-a-test-"));
    for (const name of ["data", "versions", "iam"]) mkdirSync(join(folder, name));
    // The host, as the containers see it, and this machine as well.
    const server = new S3Server(program, folder, `${await hostAddress()}:${await freePort()}`);
    server.serve();
    await eventually("the S3 server", 30, async () =>
      (await fetch(server.#url).catch(() => undefined)) === undefined ? undefined : true,
    );
    const { status } = await s3({ ...server.bucket, ...server.owner }, "PUT", "");
    if (status !== 200) throw new Error(`the bucket was not made: ${status}`);
    return server;
  }

  serve(): void {
    const where = ["posix", "--versioning-dir", join(this.#folder, "versions"), this.data];
    this.#server = spawn(this.#program, ["--port", this.#address, "--iam-dir", join(this.#folder, "iam"), ...where], {
      stdio: "ignore",
      env: { ROOT_ACCESS_KEY: this.owner.accessKey, ROOT_SECRET_KEY: this.owner.secretKey },
    });
  }

  /** Lets somebody in besides its owner, with no right yet. */
  async addUser({ accessKey, secretKey }: Identity): Promise<void> {
    const user = ["create-user", "--access", accessKey, "--secret", secretKey, "--role", "user"];
    await run(this.#program, ["admin", "--endpoint-url", this.#url, ...user], {
      env: { ADMIN_ACCESS_KEY: this.owner.accessKey, ADMIN_SECRET_KEY: this.owner.secretKey },
    });
  }

  /** Makes a stack whose second repository is here. */
  async makeStack(test: string, user: Identity = this.owner): Promise<TestStack> {
    const stack = await testStack(test);
    await stack.init();
    await stack.pulumi("config", "set", "--path", "backup.s3", this.setting);
    await stack.pulumi("config", "set", "--secret", "s3-access-key", user.accessKey);
    await stack.pulumi("config", "set", "--secret", "s3-secret-key", user.secretKey);
    return stack;
  }

  /** Ends it; what it holds stays. */
  stop(): void {
    this.#server?.kill();
  }

  /** The keys of its objects below a folder of the repository. */
  async keys(below: string): Promise<readonly string[]> {
    const { bucket, owner } = this;
    const { body } = await s3({ ...bucket, ...owner }, "GET", "", { prefix: `${bucket.folder}/${below}/` });
    return [...body.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key = ""]) => key);
  }

  remove(): void {
    this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
