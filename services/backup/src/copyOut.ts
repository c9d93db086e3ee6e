import type { Client, Connection, Submittable } from "pg";
import { copySql, RowSum, readerSettings, type TableSum, tablesSql } from "./tables.ts";

/** What the driver hands to a query while it runs; its types name only `submit`. */
class CopyOut implements Submittable {
  readonly #sql: string;
  readonly #sum: RowSum;
  readonly #settle: (error?: Error) => void;
  #error: Error | undefined;

  constructor(sql: string, sum: RowSum, settle: (error?: Error) => void) {
    this.#sql = sql;
    this.#sum = sum;
    this.#settle = settle;
  }

  submit(connection: Connection): void {
    connection.query(this.#sql);
  }

  handleCopyData({ chunk }: { readonly chunk: Uint8Array }): void {
    this.#sum.add(chunk);
  }

  handleCommandComplete(): void {}

  handleError(error: Error): void {
    this.#error = error;
    this.#settle(error);
  }

  handleReadyForQuery(): void {
    if (this.#error === undefined) this.#settle();
  }
}

/** The options of a connection that reads everybody's tables: see `readerSettings`. */
export const readerOptions = (more: Readonly<Record<string, string>> = {}) =>
  Object.entries({ ...readerSettings, ...more })
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, "\\$&")}`)
    .join(" ");

/** Counts and sums every table of a schema, in the transaction that the client is in. */
export async function schemaSums(client: Client, schema: string): Promise<readonly TableSum[]> {
  const sums: TableSum[] = [];
  const { rows } = await client.query<{ name: string }>(tablesSql, [schema]);
  for (const { name } of rows) {
    const sum = new RowSum();
    await new Promise<void>((resolve, reject) => {
      client.query(
        new CopyOut(copySql(schema, name), sum, (error) => (error === undefined ? resolve() : reject(error))),
      );
    });
    sums.push(sum.of(schema, name));
  }
  return sums;
}
