/** What to do where a source table's columns are no longer those of its bronze table. */
import type { ColumnAlteration } from "../../../lakehouse/delta/alter-columns.ts";
import { widens } from "../../../lakehouse/delta/evolve.ts";
import { duckdbType, type StructType } from "../../../lakehouse/delta/schema.ts";
import { META_COLUMNS } from "../../definition/bronze-columns.ts";
import type { DriftPolicy } from "../../definition/pipeline.ts";
import { type ColumnMapping, valueInSql } from "../postgres/types.ts";

/** A column as the source has it, kept with the table to tell what changes later. */
export interface SourceColumn {
  readonly name: string;
  /** As Postgres names the type. */
  readonly type: string;
  /** Number of the column, which a rename leaves as it is; where it is known. */
  readonly attnum?: number | undefined;
}

/** One change of a source table, and what became of it in bronze. */
export interface DriftChange {
  readonly kind: "added" | "dropped" | "retyped" | "renamed";
  readonly column: string;
  /** The former type, or of a rename the former name. */
  readonly from?: string;
  readonly to?: string;
  readonly effect: string;
}

/** Where the values of a source column go. */
export interface ColumnPlan extends ColumnMapping {
  /** False where bronze has no such column: its values are rescued. */
  readonly hasPlace: boolean;
}

export interface DriftPlan {
  readonly columns: readonly ColumnPlan[];
  /** Whether values have to be looked at one by one, since some may have no place. */
  readonly careful: boolean;
  readonly alterations: readonly ColumnAlteration[];
  readonly changes: readonly DriftChange[];
  /** Whether rows may have got other values of which the WAL says nothing. */
  readonly rewrites: boolean;
}

/**
 * Compares the columns that rows come with to those of bronze and to those that the source had (`before`; undefined
 * where nobody wrote them down). `filled`: columns that came with a value for the rows that were there. Under `freeze` the caller refuses where there are changes.
 */
export function planDrift(
  bronze: StructType,
  before: readonly SourceColumn[] | undefined,
  columns: readonly ColumnMapping[],
  policy: DriftPolicy,
  filled: ReadonlySet<string> = new Set(),
): DriftPlan {
  const alterations: ColumnAlteration[] = [];
  const effects = new Map<string, string>();
  const plans = columns.map((column): ColumnPlan => {
    const own = bronze.fields.find((f) => f.name === column.name);
    const type = duckdbType(column.deltaType);
    if (own === undefined) {
      const grows = policy === "evolve" && !clashes(bronze, column.name);
      if (grows) alterations.push({ addColumn: { name: column.name, type: column.deltaType } });
      effects.set(column.name, grows ? "column added" : "values rescued");
      return grows
        ? { ...column, hasPlace: true }
        : { ...column, deltaType: "string", careful: "NULL::VARCHAR", hasPlace: false };
    }
    if (duckdbType(own.type) === type) {
      effects.set(column.name, "type as before");
      return { ...column, hasPlace: true };
    }
    if (policy === "evolve" && widens(own.type, column.deltaType)) {
      alterations.push({ widenColumn: { name: column.name, type: column.deltaType } });
      effects.set(column.name, `type widened to ${type}`);
      return { ...column, hasPlace: true };
    }
    effects.set(column.name, `stays ${duckdbType(own.type)}, other values rescued`);
    return { ...column, deltaType: own.type, careful: valueInSql(column, own.type), hasPlace: true };
  });
  const careful = plans.some((plan, i) => plan.careful !== columns[i]?.careful);
  const known = before !== undefined && before.length > 0 ? before : knownFrom(bronze, columns);
  const changes = changesOf(known, columns, effects);
  const rewrites = changes.some(
    ({ kind, column }) =>
      kind === "retyped" || kind === "renamed" || (kind === "added" && filled.has(column)),
  );
  return { columns: plans, careful, alterations, changes, rewrites };
}

/** A column of this name cannot be added: one that differs in case only is there, or the name is Ingot's. */
function clashes(bronze: StructType, name: string): boolean {
  const folded = name.toLowerCase();
  return folded.startsWith("_ingot_") || bronze.fields.some((f) => f.name.toLowerCase() === folded);
}

/** Without a record: what bronze has came from columns of the same name. */
function knownFrom(bronze: StructType, columns: readonly ColumnMapping[]): SourceColumn[] {
  return bronze.fields
    .filter((f) => !META_COLUMNS.includes(f.name))
    .map((f) => {
      const now = columns.find((c) => c.name === f.name);
      const same = now !== undefined && duckdbType(now.deltaType) === duckdbType(f.type);
      return { name: f.name, type: same ? now.sourceType : duckdbType(f.type) };
    });
}

function changesOf(
  before: readonly SourceColumn[],
  columns: readonly ColumnMapping[],
  effects: ReadonlyMap<string, string>,
): DriftChange[] {
  const effect = (name: string) => effects.get(name) ?? "none";
  const gone = before.filter((b) => !columns.some((c) => c.name === b.name));
  const changes: DriftChange[] = [];
  for (const column of columns) {
    const known = before.find((b) => b.name === column.name);
    if (known !== undefined) {
      const isOther =
        known.attnum !== undefined && column.attnum !== undefined && known.attnum !== column.attnum;
      if (known.type === column.sourceType && !isOther) continue;
      const { name } = column;
      changes.push({
        kind: "retyped",
        column: name,
        from: known.type,
        to: column.sourceType,
        effect: effect(name),
      });
      continue;
    }
    const former = gone.find((b) => b.attnum !== undefined && b.attnum === column.attnum);
    changes.push(
      former === undefined
        ? { kind: "added", column: column.name, to: column.sourceType, effect: effect(column.name) }
        : {
            kind: "renamed",
            column: column.name,
            from: former.name,
            to: column.name,
            effect: effect(column.name),
          },
    );
  }
  const renamed = new Set(changes.map((change) => change.from));
  for (const { name, type } of gone) {
    if (renamed.has(name)) continue;
    changes.push({ kind: "dropped", column: name, from: type, effect: "column stays, empty from now on" });
  }
  return changes;
}
