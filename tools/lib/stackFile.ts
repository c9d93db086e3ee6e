import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { type Document, isMap, parseDocument } from "yaml";
import { isCredentialName } from "../../components/credentials/catalogue.ts";
import { exchanges } from "../../components/credentials/fixed.ts";
import { ConfigError, checkConfig } from "../../components/settings.ts";
import { UserError } from "./log.ts";
import type { Release } from "./release.ts";

const PROJECT = "autollm:";
/** Beside the services' names: the images of this repository's own that a stack names, and the keys whose `image` they are. */
export const ownKeys = { backup: "backup", "edge-sockets": "edge" } as const;
export type OwnImage = keyof typeof ownKeys;
export const ownImages = Object.keys(ownKeys) as readonly OwnImage[];

/** A stack's file, `Pulumi.<stack>.yaml`: read without the engine, and changed without losing a comment. */
export class StackFile {
  readonly path: string;
  readonly #document: Document;

  constructor(path: string, text: string = readStackText(path)) {
    this.path = path;
    refuseConflict(path, text);
    this.#document = parseDocument(text);
    const [fault] = this.#document.errors;
    if (fault !== undefined) throw new UserError(`${path}: ${fault.message}`);
    if (!isMap(this.#document.get("config")))
      throw new UserError(`${path}: has no \`config\`, so it is no stack's file`);
  }

  /** The value of a key of the project, as plain data; undefined where it is not set. */
  get(key: string): unknown {
    return this.config()[`${PROJECT}${key}`];
  }

  /** The text of a value, by its key or the path to it, such as `generation.redis`; undefined where it is not set, or no plain value. */
  text(path: string): string | undefined {
    const value = this.#document.getIn(["config", ...withProject(path)]);
    return ["string", "number", "boolean"].includes(typeof value) ? String(value) : undefined;
  }

  /**
   * What the program is given of keys of the project: their full names, and their values as text. Keys that are not set are
   * left out.
   */
  texts(keys: readonly string[]): Record<string, string> {
    return Object.fromEntries(
      keys.flatMap((key) => {
        const value = this.get(key);
        return value === undefined ? [] : [[`${PROJECT}${key}`, textOf(value)]];
      }),
    );
  }

  set(key: string, value: unknown): void {
    this.#document.setIn(["config", `${PROJECT}${key}`], value);
  }

  /** Sets a value by its path, such as `host.address`; what stands beside it stays. */
  setPath(path: string, value: unknown): void {
    this.#document.setIn(["config", ...withProject(path)], value);
  }

  remove(key: string): void {
    this.#document.deleteIn(["config", `${PROJECT}${key}`]);
  }

  /** The images that the stack names, checked as the program checks them. */
  release(): Release {
    const release = this.get("release") ?? {};
    // The program's own check, on what a release is judged by: a fault is told in the same words.
    // Those that are there; their values stay encrypted.
    const credentials = Object.keys(this.config()).filter((key) => isCredentialName(key.slice(PROJECT.length)));
    const config = {
      ...this.texts(["release", "application", "mail", "freqtradeHost"]),
      ...Object.fromEntries(credentials.map((key) => [key, undefined])),
      // Whether a key may trade is judged where the whole config is.
      [`${PROJECT}trading`]: JSON.stringify({ sandbox: exchanges }),
    };
    try {
      checkConfig(config, new Set(credentials));
    } catch (error) {
      throw error instanceof ConfigError ? new UserError(`${this.path}: ${error.message}`) : error;
    }
    return release as Release;
  }

  /** The table by which the application's images are built and started. */
  application(): string {
    return String(this.get("application") ?? "conventions");
  }

  setRelease(release: Release): void {
    if (Object.keys(release).length === 0) this.remove("release");
    else this.set("release", release);
  }

  /** All images that the stack names: the release, and our own. */
  images(): Release {
    const own = ownImages.flatMap((name) => {
      const { image } = (this.get(ownKeys[name]) ?? {}) as { readonly image?: string };
      return image === undefined ? [] : [[name, { image }] as const];
    });
    return { ...this.release(), ...Object.fromEntries(own) };
  }

  setImages(images: Release): void {
    const isOwn = (name: string): name is OwnImage => Object.hasOwn(ownKeys, name);
    this.setRelease(Object.fromEntries(Object.entries(images).filter(([name]) => !isOwn(name))));
    for (const name of ownImages) {
      const own = images[name];
      if (own !== undefined) this.#document.setIn(["config", `${PROJECT}${ownKeys[name]}`, "image"], own.image);
    }
  }

  toString(): string {
    return this.#document.toString({ lineWidth: 0 });
  }

  /** Writes the file whole or not at all. */
  save(): void {
    const aside = `${this.path}.new`;
    writeFileSync(aside, this.toString());
    renameSync(aside, this.path);
  }

  /** All keys with their values; a secret is an object with the key `secure`. */
  config(): Readonly<Record<string, unknown>> {
    return (this.#document.toJS() as { config: Record<string, unknown> }).config;
  }

  /** Whether the stack takes settings from environments of Pulumi ESC, which only the engine can read. */
  importsEnvironments(): boolean {
    return this.#document.has("environment");
  }
}

/** @throws UserError where a merge left both sides in the file */
export function refuseConflict(path: string, text: string): void {
  const line = text.split("\n").findIndex((each) => /^(<{7}|>{7})( |$)/.test(each));
  if (line !== -1)
    throw new UserError(
      `${path}: line ${line + 1} is the mark of a merge conflict: keep one side, remove the lines that begin with <<<<<<<, ======= and >>>>>>>, and commit`,
    );
}

/** The keys on the way to a value. */
function withProject(path: string): string[] {
  const [key = "", ...rest] = path.split(".");
  return [`${PROJECT}${key}`, ...rest];
}

/** A value of a stack's file as the engine hands it to the program. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function readStackText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new UserError(`there is no ${path}`);
  }
}
