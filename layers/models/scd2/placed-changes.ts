/** The changes of a bronze table, each with its place: whose it is, where in the source's history, and when. */
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { identifier, identifiers } from "../../../lakehouse/duckdb/quote.ts";
import { META, META_COLUMNS } from "../../definition/bronze-columns.ts";
import { contractSchema } from "../contract.ts";
import { PLACE } from "../placed-query.ts";
import type { ModelRun } from "../run.ts";
import { historyKey } from "./check-history.ts";

/** Relation of the session with the rows of bronze that a run takes in. */
export const CHANGES = "changes";

/** Microseconds since 1970 at which the source committed a change; of rows that were read, at which they were. */
const INSTANT = `epoch_us(coalesce(${META.committedAt}, ${META.ingestedAt}, 'epoch'::TIMESTAMPTZ))`;

/** Makes `changes`: rows of bronze with `PLACE`, a struct of the typed key (`k0`, …), `lsn`, `seq` and `us`. */
export async function viewChanges(
  { session, model }: ModelRun,
  source: Snapshot,
  table: DeltaTable,
  files: readonly AddFile[],
  kind: "VIEW" | "TABLE",
): Promise<void> {
  const rows = await scanSql(table.store, { ...scannable(source), files });
  const { fields } = contractSchema(model.contract);
  const key = historyKey(model).map((name, i) => {
    // What has no place in the type of the key cannot be in the table either.
    const type = fields.find((f) => f.name === name)?.type ?? "string";
    return `k${i} := TRY_CAST(${identifier(name)} AS ${duckdbType(type)})`;
  });
  const place = [...key, `lsn := ${META.lsn}`, `seq := ${META.sequence}`, `us := ${INSTANT}`].join(", ");
  // A rebuild streams through a view; an increment is read several times and small.
  await session.run(
    `CREATE ${kind} ${CHANGES} AS SELECT *, struct_pack(${place}) AS ${PLACE} FROM (${rows})`,
  );
}

/** `bronze.x`: what the model's SQL sees of the changes. */
export async function viewBronze({ session, model }: ModelRun, places?: "with places"): Promise<void> {
  const [, name = ""] = (model.references[0] ?? "").split(".");
  const hidden = places === undefined ? [...META_COLUMNS, PLACE] : META_COLUMNS;
  await session.view(
    "bronze",
    name,
    `SELECT * EXCLUDE (${identifiers(hidden)}) FROM main.${CHANGES} WHERE ${META.operation} NOT IN ('d', 't')`,
  );
}
