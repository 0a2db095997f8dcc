/** SQL over the tables of a lake, for reading only: nothing is written, and no file outside of the lake is opened. */
import { cpus } from "node:os";
import { planScan, scannable } from "../../lakehouse/delta/scan.ts";
import { countRows } from "../../lakehouse/delta/stats.ts";
import { DuckDb, type ResultColumn, type Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { type Lake, openStoreFor } from "../../lakehouse/lake.ts";
import type { Runtime } from "../runtime.ts";
import type { ListedTable } from "../terminal/complete.ts";
import type { QueryResult } from "../terminal/result.ts";

/** Rows that a screen or a prompt is given at most. */
const MOST_ROWS = 10_000;

export interface Explorer {
  /** Runs one reading statement; at most 10,000 rows come back. */
  execute(sql: string, signal?: AbortSignal): Promise<QueryResult>;
  /** As `execute`, without bound: rows in chunks as they are computed. */
  stream(
    sql: string,
  ): Promise<{ columns: ResultColumn[]; chunks: AsyncIterable<readonly (readonly unknown[])[]> }>;
  listTables(): Promise<ListedTable[]>;
  close(): Promise<void>;
}

/**
 * Opens the newest version of every table as `pipeline.layer.table`, and as `layer.table` for the first pipeline
 * of the configuration. Versions are pinned: a prompt sees one state until it is opened again.
 */
export async function openExplorer(runtime: Runtime): Promise<Explorer> {
  const duckdb = await DuckDb.open({
    memoryMb: runtime.config.memoryMb,
    threads: Math.min(runtime.config.threads, cpus().length),
    keepOrder: true,
    spillFolder: runtime.config.spillFolder,
  });
  const session = await duckdb.session();
  const { listed, files } = await openStoreFor(duckdb, runtime.lakeRoot, runtime.config.s3)
    .then(() => attachTables(session, runtime.lake))
    .catch((error: unknown) => {
      duckdb.close();
      throw error;
    });
  const home = runtime.config.pipelines.find((p) => listed.some((t) => t.pipeline === p.name))?.name;
  if (home !== undefined) await session.run(`USE ${identifier(home)}`);
  // The files of the pinned versions and no other, neither to read nor to write.
  await session.run(
    `SET GLOBAL allowed_paths = [${files.map(literal).join(", ")}]; SET GLOBAL enable_external_access = false; SET GLOBAL lock_configuration = true`,
  );
  const tables = listed.map(({ pipeline, name, ...rest }) => ({
    name: pipeline === home ? name : `${pipeline}.${name}`,
    ...rest,
  }));
  const stream = async (sql: string) => {
    if (!(await session.onlyReads(sql))) throw readOnly(sql);
    return session.stream(sql);
  };
  return {
    stream,
    listTables: async () => tables,
    close: async () => {
      duckdb.close();
    },
    execute: async (sql, signal) => {
      const interrupt = () => session.interrupt();
      signal?.addEventListener("abort", interrupt, { once: true });
      try {
        const { columns, chunks } = await stream(sql);
        const rows: (readonly unknown[])[] = [];
        for await (const chunk of chunks) {
          rows.push(...chunk);
          if (rows.length > MOST_ROWS) return { columns, rows: rows.slice(0, MOST_ROWS), truncated: true };
        }
        return { columns, rows };
      } finally {
        signal?.removeEventListener("abort", interrupt);
      }
    },
  };
}

interface Attached extends ListedTable {
  readonly pipeline: string;
}

async function attachTables(
  session: Session,
  lake: Lake,
): Promise<{ readonly listed: Attached[]; readonly files: string[] }> {
  const listed: Attached[] = [];
  const files: string[] = [];
  const catalogs = new Set<string>();
  for (const path of await lake.tables()) {
    const [pipeline = "", layer = "", table = ""] = path.split("/");
    const { store } = lake.table(path);
    const snapshot = await lake.table(path).existingSnapshot();
    if (!catalogs.has(pipeline)) await session.run(`ATTACH ':memory:' AS ${identifier(pipeline)}`);
    catalogs.add(pipeline);
    const schema = `${identifier(pipeline)}.${identifier(layer)}`;
    const view = `${schema}.${identifier(table)}`;
    const part = scannable(snapshot);
    const { sql, addresses } = await planScan(store, part);
    await session.run(`CREATE SCHEMA IF NOT EXISTS ${schema}; CREATE VIEW ${view} AS ${sql}`);
    files.push(...addresses);
    const columns = await session.describe(`SELECT * FROM ${view}`);
    listed.push({ pipeline, name: `${layer}.${table}`, rows: countRows(part.files), columns });
  }
  return { listed, files };
}

function readOnly(sql: string): TerminalError {
  return new TerminalError("only reading statements can be run here", {
    code: "SQL_READ_ONLY",
    value: sql.trim().slice(0, 200),
    allowed: "SELECT, WITH, FROM, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN",
    next: "Tables change through models: write one, and `ingot build`.",
  });
}
