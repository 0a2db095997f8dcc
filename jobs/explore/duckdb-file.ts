/** A lake as a DuckDB file: views over the files of the pinned versions, or the rows themselves. */
import { cpus } from "node:os";
import { fileAddresses, type ScanPlan, scannable } from "../../lakehouse/delta/scan.ts";
import { DuckDb, type Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { isAddress, openStoreFor } from "../../lakehouse/lake.ts";
import { lakeId } from "../../lakehouse/lake-id.ts";
import type { Runtime } from "../runtime.ts";
import { type PinnedTable, pinTables, shownRows } from "./pinned-tables.ts";
import { writeWhole } from "./whole-file.ts";

export interface DuckDbExport {
  readonly file: string;
  readonly tables: readonly ExportedTable[];
}

interface ExportedTable {
  /** `gold.daily_sales`, as the file names it. */
  readonly name: string;
  readonly version: number;
  /** What the file has of it. */
  readonly as: "view" | "table";
}

export interface DuckDbExportOptions {
  /** Name of a pipeline; all of them by default. */
  readonly pipeline?: string | undefined;
  /** The rows themselves, so that the file stands alone. */
  readonly copy?: boolean;
  readonly sensitive?: boolean;
  readonly force?: boolean;
}

/** Schema of what the views need beside data files, and of the table that says which versions they show. */
const OWN_SCHEMA = "ingot";

/**
 * Writes `file`, whole or not at all. Schemas are layers, or `pipeline_layer` where there are several pipelines. Tables
 * with sensitive columns are copied with those hidden, for a view would say where the values are and by which key
 * digests are made. Throws `FILE_EXISTS`, `EXPORT_NO_TABLES`, `EXPORT_NEEDS_HTTPFS`.
 */
export async function exportDuckDb(
  runtime: Runtime,
  file: string,
  options: DuckDbExportOptions = {},
): Promise<DuckDbExport> {
  const chosen = new Set(runtime.pipelines(options.pipeline).map(({ name }) => name));
  const pinned = (await pinTables(runtime.lake, options.sensitive ? [] : runtime.config.pipelines)).filter(
    ({ pipeline }) => options.pipeline === undefined || chosen.has(pipeline),
  );
  if (pinned.length === 0) throw noTables(runtime.lakeRoot);
  const key = await lakeId(runtime.lake.store);
  return writeWhole(file, options.force === true, async (temporary) => {
    const duckdb = await DuckDb.open({
      memoryMb: runtime.config.memoryMb,
      threads: Math.min(runtime.config.threads, cpus().length),
      spillFolder: runtime.config.spillFolder,
    });
    try {
      await openStoreFor(duckdb, runtime.lakeRoot, runtime.config.s3);
      const session = await duckdb.session();
      await session.run(`ATTACH ${literal(temporary)} AS target; USE target; CREATE SCHEMA ${OWN_SCHEMA}`);
      const tables = await writeTables(session, pinned, key, options);
      await session.run("USE memory; DETACH target");
      return { file, tables };
    } finally {
      duckdb.close();
    }
  });
}

async function writeTables(
  session: Session,
  pinned: readonly PinnedTable[],
  key: string,
  options: DuckDbExportOptions,
): Promise<ExportedTable[]> {
  const isOne = new Set(pinned.map(({ pipeline }) => pipeline)).size === 1;
  await session.run(
    `CREATE TABLE ${OWN_SCHEMA}.versions (pipeline VARCHAR, layer VARCHAR, name VARCHAR, version BIGINT, kind VARCHAR)`,
  );
  const tables: ExportedTable[] = [];
  for (const table of pinned) {
    const { pipeline, layer, name, snapshot } = table;
    const schema = isOne ? layer : `${pipeline}_${layer}`;
    const plan = await shownRows(table, snapshot, key);
    const as = options.copy || hidesValues(table) ? "table" : "view";
    const sql = as === "table" ? plan.sql : await lastingSql(session, table, plan, tables.length);
    await session.run(
      `CREATE SCHEMA IF NOT EXISTS ${identifier(schema)}; CREATE ${as} ${identifier(schema)}.${identifier(name)} AS ${sql}`,
    );
    const values = [pipeline, layer, name].map(literal).join(", ");
    await session.run(
      `INSERT INTO ${OWN_SCHEMA}.versions VALUES (${values}, ${snapshot.version}, ${literal(as)})`,
    );
    tables.push({ name: `${schema}.${name}`, version: snapshot.version, as });
  }
  return tables;
}

const hidesValues = ({ contract }: PinnedTable): boolean =>
  Object.values(contract?.columns ?? {}).some(({ sensitivity }) => sensitivity !== undefined);

/**
 * SQL that stays right while the data files are there. What deletion vectors delete lies in files of our cache where it
 * is much: those go into a table of the export.
 */
async function lastingSql(
  session: Session,
  { table, snapshot }: PinnedTable,
  plan: ScanPlan,
  number: number,
): Promise<string> {
  const part = scannable(snapshot);
  const dataFiles = new Set(await fileAddresses(table.store, part));
  const isRemote = isAddress(table.store.root);
  if (isRemote && [...dataFiles].some((address) => !isAddress(address))) throw needsHttpfs(table.store.root);
  let sql = plan.sql;
  const others = plan.addresses.filter((address) => !dataFiles.has(address));
  for (const [i, address] of others.entries()) {
    const place = `${OWN_SCHEMA}.${identifier(`deleted_rows_${number}_${i}`)}`;
    const read = readingOf(sql, address);
    await session.run(`CREATE TABLE ${place} AS SELECT * FROM ${read}`);
    sql = sql.replaceAll(read, place);
  }
  return sql;
}

/** The call that reads this file of ours; its name is a digest, and so not elsewhere. */
function readingOf(sql: string, file: string): string {
  const rows = `read_parquet(${literal(file)})`;
  if (sql.includes(rows)) return rows;
  const start = sql.indexOf(`read_csv(${literal(file)},`);
  const end = sql.indexOf("})", start);
  if (start < 0 || end < 0) throw new RangeError(`no reading of ${file} in the plan`);
  return sql.slice(start, end + 2);
}

function noTables(root: string): TerminalError {
  return new TerminalError("there are no tables to export", {
    code: "EXPORT_NO_TABLES",
    value: root,
    next: "Make some with `ingot run`; `ingot status` lists them.",
  });
}

function needsHttpfs(root: string): TerminalError {
  return new TerminalError("views over a lake on S3 need DuckDB's extension httpfs", {
    code: "EXPORT_NEEDS_HTTPFS",
    value: root,
    allowed: "s3.httpfs in ingot.config.ts, or --copy",
    next: "Set s3.httpfs to the file of the extension, or copy the rows with --copy.",
  });
}
