import { readdirSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { query } from "chdb";
import { z } from "zod";
import { DuckDb, readParquet } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { type CanonicalRow, canonicalRows } from "./canonical-rows.ts";
import type { Engine } from "./engine.ts";

const SETTINGS = ["session_timezone = 'UTC'", "output_format_parquet_compression_method = 'none'"];

const columnsSchema = z.object({ data: z.array(z.object({ name: z.string(), type: z.string() })) });

/**
 * delta-kernel-rs inside of ClickHouse, inside of this process. What ClickHouse has no types for differs: binary that
 * is no UTF-8 is read as hex and other binary as text, timestamps without a zone as instants, a NULL struct, list or
 * map as an empty one. Tables must lie below the folder for temporary files.
 */
export class ChdbEngine implements Engine {
  readonly name = "chdb";
  readonly blur = blur;
  private readonly scratch: string;
  private duckdb: DuckDb | undefined;
  private results = 0;

  /** `scratch`: a folder for the results of queries. */
  constructor(scratch: string) {
    this.scratch = scratch;
    // The embedded ClickHouse reads only below its working directory.
    process.chdir(realpathSync(tmpdir()));
  }

  read(path: string, version?: number): Promise<CanonicalRow[]> {
    return this.select(path, version === undefined ? [] : [`delta_lake_snapshot_version = ${version}`]);
  }

  async newest(path: string): Promise<number> {
    return newestVersion(path);
  }

  changes(path: string, from: number, to: number): Promise<CanonicalRow[]> {
    return this.select(
      path,
      [`delta_lake_snapshot_start_version = ${from}`, `delta_lake_snapshot_end_version = ${to}`],
      "EXCEPT (_commit_timestamp)",
    );
  }

  /** Runs a statement in which `{t}` stands for the table; `INSERT INTO FUNCTION {t} VALUES (1)` appends. */
  run(path: string, statement: string): void {
    // The settings must stand before the values, which end a statement.
    query("SET allow_delta_lake_writes = 1, allow_experimental_delta_lake_writes = 1", "Null");
    query(statement.replace("{t}", tableFunction(path)), "Null");
  }

  close(): void {
    this.duckdb?.close();
  }

  private async select(path: string, settings: readonly string[], except = ""): Promise<CanonicalRow[]> {
    const options = `SETTINGS ${[...SETTINGS, ...settings].join(", ")}`;
    const described = query(`DESCRIBE ${tableFunction(path)} ${options}`, "JSON");
    const texts = columnsSchema
      .parse(JSON.parse(described))
      .data.filter(({ type }) => /^(Nullable\()?String/.test(type));
    const decoded = texts.map(({ name }) => {
      const column = `\`${name.replaceAll(/[\\`]/g, "\\$&")}\``;
      return `if(isValidUTF8(${column}), ${column}, lower(hex(${column}))) AS ${column}`;
    });
    const replace = decoded.length > 0 ? `REPLACE (${decoded.join(", ")})` : "";
    const file = join(this.scratch, `chdb-${++this.results}.parquet`);
    query(
      `SELECT * ${except} ${replace} FROM ${tableFunction(path)} INTO OUTFILE ${literal(file)} FORMAT Parquet ${options}`,
    );
    this.duckdb ??= await DuckDb.open({ memoryMb: 256, threads: 1 });
    return canonicalRows(await this.duckdb.rows(`FROM ${readParquet([file])}`));
  }
}

function blur(row: CanonicalRow): CanonicalRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, blurValue(value)]));
}

function blurValue(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/^(\d{4}-\d\d-\d\dT[\d:.]+)Z$/, "$1");
  if (Array.isArray(value)) return value.length === 0 ? null : value.map(blurValue);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [name, blurValue(item)] as const);
  return entries.every(([, item]) => item === null) ? null : Object.fromEntries(entries);
}

function tableFunction(path: string): string {
  return `deltaLakeLocal(${literal(path)})`;
}

function newestVersion(path: string): number {
  const entries = readdirSync(join(path, "_delta_log")).flatMap(
    (name) => /^(\d{20})\.json$/.exec(name)?.[1] ?? [],
  );
  return Math.max(...entries.map(Number));
}
