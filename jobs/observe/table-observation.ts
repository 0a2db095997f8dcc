/** Tables as they are: by their logs, and by statistics of their files where those tell how fresh they are. */
import type { StructField } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { countRows, rowCount } from "../../lakehouse/delta/stats.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { ModelDefinition } from "../../layers/definition/model.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { auditsOf } from "../../layers/models/audit/declared-audits.ts";
import { newestMicros } from "../../layers/models/audit/newest-value.ts";
import { contractSchema } from "../../layers/models/contract.ts";

export interface TableObservation {
  readonly pipeline: string;
  /** `silver.orders` */
  readonly table: string;
  /** Live rows; undefined where a file of another writer does not say how many it has. */
  readonly rows: number | undefined;
  readonly version: number;
  /** Milliseconds since its newest commit; undefined where nobody knows when that was. */
  readonly ageMs: number | undefined;
  /**
   * Of a model that is to be fresh: how old the newest value is, and may be; negative where it lies in the future. Of
   * several columns the one that is closest to its bound, or furthest over it.
   */
  readonly freshness?: Freshness;
}

export interface Freshness {
  readonly lagMs: number;
  readonly allowedMs: number;
}

/** Rows, version and age of a table at a time; all but how fresh it is. */
export function tableFigures(
  snapshot: Snapshot,
  at: number,
): Pick<TableObservation, "rows" | "version" | "ageMs"> {
  const { version, timestamp } = snapshot;
  const ageMs = timestamp === undefined ? undefined : Math.max(0, at - timestamp);
  return { rows: liveRows(snapshot), version, ageMs };
}

/** Live rows of a table by its log; undefined where that does not tell. */
export function liveRows({ files }: Snapshot): number | undefined {
  for (const file of files.values()) if (rowCount(file) === undefined) return undefined;
  return countRows(files.values());
}

/** A column whose newest value is to be young, and how young. */
export interface FreshColumn {
  readonly field: StructField;
  readonly allowedMs: number;
}

/** The columns by which a model says how fresh it is to be. A sensitive one is none: its newest value would be told. */
export function freshColumns(pipeline: PipelineDefinition, model: ModelDefinition): FreshColumn[] {
  const fields = new Map(contractSchema(model.contract).fields.map((field) => [field.name, field]));
  return auditsOf(pipeline, model).flatMap(({ check }) => {
    if (check.kind !== "freshness") return [];
    const field = fields.get(check.column);
    const isShown = model.contract.columns[check.column]?.sensitivity === undefined;
    return field && isShown ? [{ field, allowedMs: check.within * 60_000 }] : [];
  });
}

/** Newest values by snapshot and column: of a table that nobody changes they are looked for once. */
export type KnownNewest = WeakMap<Snapshot, Map<string, Promise<bigint | undefined>>>;

/** The newest value of a column, and how young it is to be. */
export interface NewestValue {
  readonly micros: bigint;
  readonly allowedMs: number;
}

/** Newest values of columns that have any. */
export async function newestValues(
  table: Pick<DeltaTable, "store" | "duckdb">,
  snapshot: Snapshot,
  columns: readonly FreshColumn[],
  known: KnownNewest,
): Promise<NewestValue[]> {
  const newest = known.get(snapshot) ?? new Map<string, Promise<bigint | undefined>>();
  known.set(snapshot, newest);
  const values: NewestValue[] = [];
  for (const { field, allowedMs } of columns) {
    // The table may be older than its contract.
    const stored = snapshot.schema.fields.find(({ name }) => name === field.name);
    if (stored === undefined) continue;
    const finding =
      newest.get(field.name) ?? newestMicros(table, snapshot, stored, (sql) => table.duckdb.rows(sql));
    newest.set(field.name, finding);
    finding.catch(() => newest.delete(field.name));
    const micros = await finding;
    if (micros !== undefined) values.push({ micros, allowedMs });
  }
  return values;
}

/** How fresh a table is at a time; undefined where it has no values. */
export function freshnessAt(values: readonly NewestValue[], at: number): Freshness | undefined {
  let worst: Freshness | undefined;
  for (const { micros, allowedMs } of values) {
    const lagMs = at - Number(micros) / 1000;
    if (worst === undefined || lagMs / allowedMs > worst.lagMs / worst.allowedMs)
      worst = { lagMs, allowedMs };
  }
  return worst;
}
