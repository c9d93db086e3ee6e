import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bucketOf, s3 } from "../../../services/backup/src/s3.ts";
import { buildGoProgram } from "../../../tools/images/go-programs.ts";
import { eventually } from "./http.ts";
import { freePort, hostAddress } from "./stack.ts";

const token = () => randomBytes(16).toString("hex");

/** An S3 server of a test's own on this machine, which containers reach, with a bucket that keeps versions. */
export class S3Server {
  readonly owner = { accessKey: `owner${token().slice(0, 8)}`, secretKey: token() };
  /** The second repository, as `backup.s3` names it. */
  readonly setting: string;
  /** Where its objects are. */
  readonly data: string;
  readonly #program: string;
  readonly #folder: string;
  readonly #address: string;
  #server: ChildProcess | undefined;

  private constructor(program: string, folder: string, address: string) {
    this.#program = program;
    this.#folder = folder;
    this.#address = address;
    this.data = join(folder, "data");
    this.setting = `s3:http://${address}/backups/e2e`;
  }

  static async start(): Promise<S3Server> {
    const program = join(await buildGoProgram("s3-server"), "versitygw");
    const folder = mkdtempSync(join(tmpdir(), "s3-of-a-test-"));
    for (const name of ["data", "versions"]) mkdirSync(join(folder, name));
    // The host, as the containers see it.
    const server = new S3Server(program, folder, `${await hostAddress()}:${await freePort()}`);
    server.serve();
    await eventually("the S3 server", 30, async () =>
      (await fetch(`http://${server.#address}`).catch(() => undefined)) === undefined ? undefined : true,
    );
    const { status } = await s3({ ...bucketOf(server.setting), ...server.owner }, "PUT", "");
    if (status !== 200) throw new Error(`the bucket was not made: ${status}`);
    return server;
  }

  serve(): void {
    const where = ["posix", "--versioning-dir", join(this.#folder, "versions"), this.data];
    this.#server = spawn(this.#program, ["--port", this.#address, ...where], {
      stdio: "ignore",
      env: { ROOT_ACCESS_KEY: this.owner.accessKey, ROOT_SECRET_KEY: this.owner.secretKey },
    });
  }

  /** Ends it; what it holds stays. */
  stop(): void {
    this.#server?.kill();
  }

  /** The keys of its objects below a folder of the repository. */
  async keys(below: string): Promise<readonly string[]> {
    const place = bucketOf(this.setting);
    const { body } = await s3({ ...place, ...this.owner }, "GET", "", { prefix: `${place.folder}/${below}/` });
    return [...body.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key = ""]) => key);
  }

  remove(): void {
    this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
