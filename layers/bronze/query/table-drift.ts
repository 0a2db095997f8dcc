/** Brings the columns of a bronze table to those of its source before changes that a query finds are taken. */
import type pg from "pg";
import { z } from "zod";
import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { DriftPolicy } from "../../definition/pipeline.ts";
import { type ColumnPlan, type DriftPlan, planDrift, type SourceColumn } from "../capture/drift.ts";
import { applyDrift, readDrift, refuseDrift } from "../capture/drift-record.ts";
import type { Position } from "../position.ts";
import type { TableDescription } from "../postgres/catalog.ts";

/** How the rows of a source table go into its bronze table as that is now. */
export interface FollowedColumns {
  /** The bronze table, whose columns may have changed. */
  readonly base: Snapshot;
  readonly columns: readonly ColumnPlan[];
  /** Whether values have to be looked at one by one. */
  readonly careful: boolean;
  readonly changed: boolean;
  /** Whether all rows have to be taken again, as no comparison finds what their values have become. */
  readonly retake: boolean;
}

export interface DriftRequest {
  readonly table: TableDescription;
  readonly from: Position;
  readonly policy: DriftPolicy;
}

/**
 * Follows what became of the columns since the last sync. Rows get values without being written where a column comes
 * with a default, or has another name: the record then says that the table is to be compared. (A new type writes all
 * rows anew, or leaves them what they were.) Throws `SOURCE_SCHEMA_CHANGED` for a frozen table, `SOURCE_KEY_CHANGED`
 * where the key is no longer the one that bronze goes by; nothing was changed then.
 */
export async function followColumns(
  client: pg.Client,
  target: DeltaTable,
  base: Snapshot,
  { table, from, policy }: DriftRequest,
): Promise<FollowedColumns> {
  const before = readDrift(base)?.columns ?? from.columns;
  const filled = isSame(before, table) ? new Set<string>() : await filledColumns(client, table);
  const same = before?.filter((known) => !isAnother(known, table));
  const plan = planDrift(base.schema, same, table.columns, policy, filled);
  if (policy === "freeze") refuseDrift(`${table.schema}.${table.name}`, plan.changes);
  checkKey(table, from, plan);
  // Of what shows no transactions all rows are compared at every sync.
  const rewrites =
    table.hasTransactionIds &&
    (plan.rewrites || same?.length !== before?.length || mayBeRenamed(before, plan));
  const followed = await applyDrift(target, base, { ...plan, rewrites }, table.columns, policy);
  return {
    base: followed,
    columns: plan.columns,
    careful: plan.careful,
    changed: plan.changes.length > 0,
    retake: table.hasTransactionIds && table.key.length > 0 && isCast(table, from, plan),
  };
}

/**
 * Whether values of a column are cast into a type that is not theirs, and were of another type when rows were last
 * taken. Comparisons leave such columns out, and not every new type has the source write its rows anew.
 */
function isCast({ columns }: TableDescription, from: Position, plan: DriftPlan): boolean {
  return columns.some((column) => {
    const before = from.columns?.find(({ name }) => name === column.name);
    const place = plan.columns.find(({ name }) => name === column.name);
    if (before === undefined || place?.hasPlace !== true) return false;
    if (duckdbType(place.deltaType) === duckdbType(column.deltaType)) return false;
    return before.type !== column.sourceType || before.attnum !== column.attnum;
  });
}

function isSame(before: readonly SourceColumn[] | undefined, { columns }: TableDescription): boolean {
  const print = (name: string, type: string, attnum: number | undefined) => `${name} ${type} ${attnum}`;
  const now = columns.map((column) => print(column.name, column.sourceType, column.attnum));
  return before?.map(({ name, type, attnum }) => print(name, type, attnum)).join() === now.join();
}

/** Whether the column was dropped, and there is another one of its name. */
function isAnother({ name, attnum }: SourceColumn, { columns }: TableDescription): boolean {
  const now = columns.find((column) => column.name === name)?.attnum;
  return attnum !== undefined && now !== undefined && now !== attnum;
}

/** A column that came as another went may be the same under another name, where nobody wrote down their numbers. */
function mayBeRenamed(before: readonly SourceColumn[] | undefined, { changes }: DriftPlan): boolean {
  if (before?.every(({ attnum }) => attnum !== undefined)) return false;
  return ["added", "dropped"].every((kind) => changes.some((change) => change.kind === kind));
}

const nameRow = z.object({ name: z.string() });

/** Columns that may have got a value in rows that were there before them. */
async function filledColumns(client: pg.Client, { oid }: TableDescription): Promise<ReadonlySet<string>> {
  const { rows } = await client.query(
    `SELECT attname::text AS name FROM pg_attribute
      WHERE attrelid = $1::int8::oid AND attnum > 0 AND NOT attisdropped AND (atthasdef OR atthasmissing)`,
    [oid],
  );
  return new Set(
    z
      .array(nameRow)
      .parse(rows)
      .map(({ name }) => name),
  );
}

/** Refuses a key by which the rows of bronze cannot be told any more. */
function checkKey(table: TableDescription, from: Position, plan: DriftPlan): void {
  const moved = table.key.find((name) => {
    const column = table.columns.find((c) => c.name === name);
    const place = plan.columns.find((c) => c.name === name);
    if (column === undefined || place?.hasPlace !== true) return true;
    return duckdbType(column.deltaType) !== duckdbType(place.deltaType);
  });
  if (moved === undefined && JSON.stringify(table.key) === JSON.stringify(from.key)) return;
  throw new TerminalError(`the key of ${table.schema}.${table.name} is not what it was`, {
    code: "SOURCE_KEY_CHANGED",
    value: moved === undefined ? table.key.join(", ") || "none" : `${moved}, another type`,
    allowed: from.key.join(", ") || "no key",
    next: `Load the table anew: move bronze.${table.bronze} out of the lake and run \`ingot load\`.`,
  });
}
