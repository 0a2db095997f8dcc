/** A DuckDB that can read the files it was opened for, and nothing else of the machine or the network. */
import { randomUUID } from "node:crypto";
import { cpus } from "node:os";
import type { ScanPlan } from "../../lakehouse/delta/scan.ts";
import { DuckDb, type Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { openStoreFor } from "../../lakehouse/lake.ts";
import type { Runtime } from "../runtime.ts";

/** A view of the sandbox. */
export interface View extends ScanPlan {
  readonly catalog: string;
  readonly schema: string;
  readonly name: string;
}

export interface SandboxOptions {
  readonly views: readonly View[];
  /** Catalog whose schemas need no name before them. */
  readonly home?: string | undefined;
  /** What `Sandbox.keyPlace` stands for in views. */
  readonly key: string;
  /** One file that may be written. */
  readonly writable?: string | undefined;
}

export interface Sandbox {
  readonly session: Session;
  close(): void;
}

/** Catalog of the key of digests; a pipeline cannot be called so. */
const KEY_CATALOG = "ingot:key";

/**
 * What stands for the key of digests in a view until the sandbox has it. The key itself is in a table: in the view, the
 * plan that `EXPLAIN` shows would tell it.
 */
export const KEY_PLACE = randomUUID();

/** Opens a sandbox. What is not for reading is closed for good: no statement can open it again. */
export async function openSandbox(runtime: Runtime, options: SandboxOptions): Promise<Sandbox> {
  const { config } = runtime;
  const duckdb = await DuckDb.open({
    memoryMb: config.memoryMb,
    threads: Math.min(config.threads, cpus().length),
    keepOrder: true,
    spillFolder: config.spillFolder,
  });
  try {
    await openStoreFor(duckdb, runtime.lakeRoot, config.s3);
    const session = await duckdb.session();
    // It is listed among the tables: where nothing needs it, it is not there.
    if (options.views.some(({ sql }) => sql.includes(KEY_PLACE)))
      await session.run(
        `ATTACH ':memory:' AS ${identifier(KEY_CATALOG)}; CREATE TABLE ${identifier(KEY_CATALOG)}.keys AS SELECT ${literal(`${options.key}:`)} AS key`,
      );
    const catalogs = new Set(options.views.map(({ catalog }) => catalog));
    for (const catalog of catalogs) await session.run(`ATTACH ':memory:' AS ${identifier(catalog)}`);
    for (const view of options.views) await session.run(viewSql(view));
    if (options.home !== undefined) await session.run(`USE ${identifier(options.home)}`);
    const { writable } = options;
    const paths = [...options.views.flatMap(({ addresses }) => addresses), ...(writable ? [writable] : [])];
    await session.run(
      `SET GLOBAL allowed_paths = [${[...new Set(paths)].map(literal).join(", ")}]; SET GLOBAL enable_external_access = false; SET GLOBAL lock_configuration = true`,
    );
    return { session, close: () => duckdb.close() };
  } catch (error) {
    duckdb.close();
    throw error;
  }
}

function viewSql({ catalog, schema, name, sql }: View): string {
  const place = `${identifier(catalog)}.${identifier(schema)}`;
  const keyed = sql.replaceAll(
    literal(`${KEY_PLACE}:`),
    `(SELECT key FROM ${identifier(KEY_CATALOG)}.main.keys)`,
  );
  return `CREATE SCHEMA IF NOT EXISTS ${place}; CREATE VIEW ${place}.${identifier(name)} AS ${keyed}`;
}
