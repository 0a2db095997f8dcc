/** Models that are recomputed whole: their rows replace the former ones in one commit. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { checkColumns, contractSchema, modelError } from "./contract.ts";
import { commitModel, type ModelResult, type ModelRun } from "./run.ts";

/** Runs the SQL over the inputs' snapshots and overwrites the table. */
export async function runFull(run: ModelRun): Promise<ModelResult> {
  const { model, session, target, base, inputs, tables } = run;
  for (const [reference, snapshot] of inputs) {
    const [layer = "", name = ""] = reference.split(".");
    const table = tables.get(reference);
    if (table) await session.view(layer, name, await scanSql(table.store, scannable(snapshot)));
  }
  await checkColumns(session, model);
  const staged = await modelError(model, () =>
    target.stage(session, model.sql, contractSchema(model.contract)),
  );
  const removes = [...(base?.files.values() ?? [])];
  const version = await commitModel(run, staged, removes, base ? "WRITE" : "CREATE TABLE AS SELECT");
  return { rowsIn: staged.rows, rowsOut: staged.rows, bytes: staged.bytes, version };
}
