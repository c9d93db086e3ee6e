/** Where a container finds what it was granted. The start wrapper reads `SECRET_ENV_DIR`; programs read `SECRET_FILES_DIR` themselves. */
export const SECRET_ENV_DIR = "/run/secrets/env";
export const SECRET_FILES_DIR = "/run/secrets/files";

/** The start wrapper turns the file `SECRET_ENV_DIR/<env>` into the process's environment variable `<env>`. */
export interface EnvDelivery {
  readonly env: string;
  /** Where the value of the previous generation goes while both are valid; absent if the service does not need it. */
  readonly previousEnv?: string;
  /** The variable with the time until which the previous one is accepted, in seconds since 1970. */
  readonly previousUntilEnv?: string;
}

/** The program reads the file `SECRET_FILES_DIR/<file>`, and finds its path in the plain environment variable `<pathEnv>`. */
export interface FileDelivery {
  readonly file: string;
  readonly pathEnv: string;
  readonly previous?: { readonly file: string; readonly pathEnv: string };
}

export type Delivery = EnvDelivery | FileDelivery;
