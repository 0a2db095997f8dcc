/** Operations that rivals do on one table, and what each does to a plain DuckDB table. */
import fc from "fast-check";
import { alterTable } from "../../../lakehouse/delta/alter.ts";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { mergeRows } from "../../../lakehouse/delta/change/merge.ts";
import { overwriteRows } from "../../../lakehouse/delta/change/overwrite.ts";
import { updateRows } from "../../../lakehouse/delta/change/update.ts";
import { optimizeTable } from "../../../lakehouse/delta/maintain/optimize.ts";
import { field, type StructType } from "../../../lakehouse/delta/schema.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";

/** `key` is a small number, so that rivals meet; `tag` names the operation that wrote the row. */
export const RACE_SCHEMA: StructType = {
  type: "struct",
  fields: [field("key", "integer"), field("value", "long"), field("tag", "string")],
};

export type RaceOperation =
  | { readonly kind: "append"; readonly keys: readonly number[] }
  | { readonly kind: "overwrite"; readonly keys: readonly number[] }
  | { readonly kind: "replace"; readonly from: number }
  | { readonly kind: "delete"; readonly from: number; readonly to: number }
  | { readonly kind: "update"; readonly key: number }
  | { readonly kind: "merge"; readonly keys: readonly number[] }
  | { readonly kind: "optimize" }
  | { readonly kind: "grow" };

const key = fc.integer({ min: 0, max: 9 });
const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 4 });

export const raceOperations: fc.Arbitrary<RaceOperation> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("append" as const), keys }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("overwrite" as const), keys }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("replace" as const), from: key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), from: key, to: key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("update" as const), key }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("merge" as const), keys }) },
  { weight: 2, arbitrary: fc.constant({ kind: "optimize" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "grow" as const }) },
);

/** Does the operation; `tag` is unique to it. */
export async function perform(table: DeltaTable, operation: RaceOperation, tag: string): Promise<void> {
  switch (operation.kind) {
    case "append":
      await appendRows(table, rowsSql(operation.keys, tag));
      return;
    case "overwrite":
      await overwriteRows(table, rowsSql(operation.keys, tag));
      return;
    case "replace":
      await overwriteRows(table, rowsSql([operation.from], tag), { where: `key >= ${operation.from}` });
      return;
    case "delete":
      await deleteRows(table, `key BETWEEN ${operation.from} AND ${operation.to}`);
      return;
    case "update":
      await updateRows(table, { value: "value + 1" }, `key = ${operation.key}`);
      return;
    case "merge":
      await mergeRows(table, {
        source: rowsSql(operation.keys, tag),
        on: "target.key = source.key",
        matched: [{ update: { value: "target.value + 10", tag: "source.tag" } }],
        notMatched: [{ insert: "all" }],
      });
      return;
    case "optimize":
      await optimizeTable(table, { purge: true });
      return;
    case "grow":
      await alterTable(table, { setProperties: { [`grown.${tag}`]: "yes" } });
  }
}

/** Statements that do the same to the table `model`. */
export function modelSql(operation: RaceOperation, tag: string): string {
  switch (operation.kind) {
    case "append":
      return `INSERT INTO model ${rowsSql(operation.keys, tag)}`;
    case "overwrite":
      return `DELETE FROM model; INSERT INTO model ${rowsSql(operation.keys, tag)}`;
    case "replace":
      return `DELETE FROM model WHERE key >= ${operation.from}; INSERT INTO model ${rowsSql([operation.from], tag)}`;
    case "delete":
      return `DELETE FROM model WHERE key BETWEEN ${operation.from} AND ${operation.to}`;
    case "update":
      return `UPDATE model SET value = value + 1 WHERE key = ${operation.key}`;
    case "merge": {
      const source = rowsSql(operation.keys, tag);
      return `CREATE OR REPLACE TABLE merged AS ${source} ;
        INSERT INTO model SELECT s.* FROM merged s ANTI JOIN model m ON m.key = s.key;
        UPDATE model SET value = value + 10, tag = ${quoted(tag)} WHERE key IN (${operation.keys.join(", ")}) AND tag <> ${quoted(tag)}`;
    }
    default:
      return "SELECT 1";
  }
}

const quoted = (tag: string) => `'${tag}'`;

function rowsSql(keys: readonly number[], tag: string): string {
  return `SELECT unnest([${keys.join(", ")}])::INTEGER AS key, 1::BIGINT AS value, ${quoted(tag)} AS tag`;
}
