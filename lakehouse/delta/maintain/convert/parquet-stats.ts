/** Statistics of Parquet files as a table's log has them, from their footers alone. */
import type { DuckDb, Row } from "../../../duckdb/duckdb.ts";
import { literal } from "../../../duckdb/quote.ts";
import { dataFields, type Layout } from "../../layout.ts";
import { duckdbType, type StructField } from "../../schema.ts";
import { type ColumnStatistics, statsJson } from "../../stats.ts";
import type { ParquetSource } from "./parquet-schema.ts";

/** Files whose footers are in memory at the same time. */
const BATCH = 100;
/** Types whose bounds in footers are those of the values: floats leave NaN out, texts and bytes may be cut. */
const EXACT = /^(?:byte|short|integer|long|date|timestamp|timestamp_ntz|decimal\(.*\))$/;

/** The `stats` text of each file by its address. Bounds appear only where every row group states exact ones. */
export async function footerStats(
  duckdb: DuckDb,
  files: readonly ParquetSource[],
  layout: Layout,
): Promise<Map<string, string>> {
  const stats = new Map<string, string>();
  for (let at = 0; at < files.length; at += BATCH) {
    const addresses = files.slice(at, at + BATCH).map(({ address }) => literal(address));
    await addBatch(duckdb, `[${addresses.join(", ")}]`, layout, stats);
  }
  return stats;
}

async function addBatch(
  duckdb: DuckDb,
  list: string,
  layout: Layout,
  stats: Map<string, string>,
): Promise<void> {
  const columns = dataFields(layout)
    .slice(0, layout.indexedColumns)
    // A nested column is named by its parts with commas between, as this one could be.
    .filter((f) => typeof f.type === "string" && !f.name.includes(", "));
  const byFile = new Map<string, Map<string, ColumnStatistics>>();
  if (columns.length > 0) {
    for (const row of await duckdb.rows(columnsSql(list, columns))) {
      const file = String(row.file_name);
      const ofFile = byFile.get(file) ?? new Map<string, ColumnStatistics>();
      byFile.set(file, ofFile.set(String(row.column_name), columnStatistics(row)));
    }
  }
  const counts = await duckdb.rows(
    `SELECT file_name, num_rows::DOUBLE AS rows FROM parquet_file_metadata(${list})`,
  );
  for (const { file_name: file, rows } of counts) {
    stats.set(String(file), statsJson(Number(rows), layout, byFile.get(String(file)) ?? new Map()));
  }
}

/** One row for each file and column: nulls and bounds over its row groups, as text. */
function columnsSql(list: string, columns: readonly StructField[]): string {
  const parts = columns.map((f) => {
    const name = literal(f.name);
    return `SELECT file_name, ${name} AS column_name, ${nullsSql}, ${boundsSql(f)} FROM footers WHERE path_in_schema = ${name} GROUP BY file_name`;
  });
  return `WITH footers AS MATERIALIZED (SELECT file_name, path_in_schema, type, num_values, stats_null_count, stats_min_value, stats_max_value, min_is_exact, max_is_exact FROM parquet_metadata(${list})) ${parts.join(" UNION ALL ")}`;
}

/** Unknown where one row group does not say. */
const nullsSql =
  "CASE WHEN count(stats_null_count) = count(*) THEN sum(stats_null_count)::VARCHAR END AS null_count";

function boundsSql({ type }: StructField): string {
  if (typeof type !== "string" || (type !== "string" && !EXACT.test(type))) {
    return "NULL::VARCHAR AS min, NULL::VARCHAR AS max";
  }
  const cast = duckdbType(type);
  const flagged = type === "string" ? "min_is_exact AND max_is_exact" : "type <> 'INT96'";
  // A row group of nothing but nulls has no bounds and needs none.
  const known = `stats_min_value IS NOT NULL AND stats_max_value IS NOT NULL AND coalesce(${flagged}, false) OR stats_null_count = num_values`;
  const bound = (f: "min" | "max") =>
    `CASE WHEN bool_and(coalesce(${known}, false)) THEN ${f}(TRY_CAST(stats_${f}_value AS ${cast}))::VARCHAR END AS ${f}`;
  return `${bound("min")}, ${bound("max")}`;
}

function columnStatistics(row: Row): ColumnStatistics {
  const known = Object.entries(row).flatMap(([name, value]) =>
    typeof value === "string" && ["min", "max", "null_count"].includes(name) ? [[name, value] as const] : [],
  );
  return Object.fromEntries(known);
}
