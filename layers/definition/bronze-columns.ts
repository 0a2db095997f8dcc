/** What layers know of a bronze table: its own columns, and the record of its source. */
import { z } from "zod";
import { field, type StructField } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";

/** Columns that every bronze table has beside the source's own. Models do not see them. */
export const META = {
  /** One of `ChangeOperation`. */
  operation: "_ingot_op",
  /**
   * Where in the source's history the row belongs, as an integer of bytes: for a captured change where its
   * transaction's commit record begins, for a row that was read the consistent point of the snapshot that showed it.
   */
  lsn: "_ingot_lsn",
  /** Order of the changes of one transaction, from 1; 0 for rows that were read. (lsn, seq) orders a table's changes. */
  sequence: "_ingot_seq",
  /** 64-bit id of the transaction that wrote the row; null where it is not known. */
  transaction: "_ingot_xid",
  /** When the source committed the change; null for rows that were read. */
  committedAt: "_ingot_committed_at",
  /** When Ingot took the row. */
  ingestedAt: "_ingot_at",
  /** Values that have no place in their column, as Postgres printed them: JSON object by column name, or null. */
  rescued: "_ingot_rescued",
} as const;

export const META_COLUMNS: readonly string[] = Object.values(META);

/** These columns as every bronze table has them, behind its own. */
export const META_FIELDS: readonly StructField[] = [
  field(META.operation, "string", true, "r: read, i: inserted, u: updated, d: deleted, t: truncated"),
  field(META.lsn, "long", true, "WAL position, in bytes, where the change or the read belongs"),
  field(META.sequence, "long", true, "order of changes within a transaction; 0 for rows that were read"),
  field(META.transaction, "long", true, "64-bit id of the transaction that wrote the row, where known"),
  field(META.committedAt, "timestamp", true, "when the source committed the change"),
  field(META.ingestedAt, "timestamp", true, "when the row was taken"),
  field(META.rescued, "string", true, "JSON of values that have no place in their column"),
];

/**
 * `r` read from the table, `i` inserted, `u` updated (or, of a table whose changes are found by query, inserted or
 * updated), `d` deleted (only the key is set, or the whole row where it has no key), `t`: the table was truncated
 * (no column is set).
 */
export type ChangeOperation = "r" | "i" | "u" | "d" | "t";

/** Domain of the metadata in which a bronze table keeps the position of its source. */
export const SOURCE_DOMAIN = "ingot.source";

const recordSchema = z.object({ key: z.array(z.string()), load: z.unknown().optional() });

/** The columns by which the source of a bronze table names its rows; undefined where it is no bronze table. */
export function sourceKey(snapshot: Snapshot): readonly string[] | undefined {
  const domain = snapshot.domains.get(SOURCE_DOMAIN);
  return domain === undefined ? undefined : recordSchema.parse(JSON.parse(domain.configuration)).key;
}

/** Whether the historical load of a bronze table has not come to its end. */
export function isLoading(snapshot: Snapshot): boolean {
  const domain = snapshot.domains.get(SOURCE_DOMAIN);
  return domain !== undefined && recordSchema.parse(JSON.parse(domain.configuration)).load !== undefined;
}
