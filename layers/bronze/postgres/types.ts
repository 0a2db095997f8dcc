/** What a Postgres type becomes: how COPY selects it, how DuckDB reads it, what Delta holds. */

import type { DataType } from "../../../lakehouse/delta/schema.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";

/** One column on its way from Postgres to bronze. */
export interface ColumnMapping {
  readonly name: string;
  readonly deltaType: DataType;
  /** Type of the CSV field for DuckDB's reader. */
  readonly csvType: string;
  /** DuckDB expression over the CSV field, named as the column. */
  readonly read: string;
}

const DIRECT: Readonly<Record<string, readonly [delta: string, csv: string]>> = {
  bool: ["boolean", "BOOLEAN"],
  int2: ["short", "SMALLINT"],
  int4: ["integer", "INTEGER"],
  int8: ["long", "BIGINT"],
  oid: ["long", "BIGINT"],
  float4: ["float", "FLOAT"],
  float8: ["double", "DOUBLE"],
  date: ["date", "DATE"],
  timestamp: ["timestamp", "TIMESTAMP"],
  timestamptz: ["timestamp", "TIMESTAMPTZ"],
};

/**
 * Maps a column by the name of its type in `pg_type`. `precision` and `scale` are those of a numeric, undefined
 * where it has none. What has no exact counterpart stays the text that Postgres prints: nothing is rounded.
 */
export function mapColumn(name: string, type: string, precision?: number, scale?: number): ColumnMapping {
  const quoted = identifier(name);
  const direct = DIRECT[type];
  if (direct) return { name, deltaType: direct[0], csvType: direct[1], read: quoted };
  if (type === "bytea") {
    return { name, deltaType: "binary", csvType: "VARCHAR", read: `unhex(substr(${quoted}, 3))` };
  }
  const fits =
    precision !== undefined && scale !== undefined && precision <= 38 && scale >= 0 && scale <= precision;
  if (type === "numeric" && fits) {
    return {
      name,
      deltaType: `decimal(${precision},${scale})`,
      csvType: `DECIMAL(${precision},${scale})`,
      read: quoted,
    };
  }
  return { name, deltaType: "string", csvType: "VARCHAR", read: quoted };
}
