/** Models that take over the rows of one bronze table as they come, each by itself. */
import { addedFiles } from "../../lakehouse/delta/changes.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { commitAppend, commitNothing, commitRebuild } from "./commit-model.ts";
import { checkColumns } from "./contract.ts";
import { stageModel } from "./model-table.ts";
import type { ModelResult, ModelRun } from "./run.ts";

/** Adds what the SQL makes of bronze's new files; of all files where the table is made anew. */
export async function runAppend(run: ModelRun): Promise<ModelResult> {
  const { model, session, base } = run;
  const [reference = ""] = model.references;
  const [source, table] = [run.inputs.get(reference), run.tables.get(reference)];
  if (source === undefined || table === undefined) throw new RangeError(`${reference} is not there`);
  const consumed = run.consumed?.get(reference);
  const added = consumed === undefined ? undefined : await addedFiles(table.store, consumed, source.version);
  if (base !== undefined && added?.length === 0) return commitNothing(run, base);
  const rows = await scanSql(table.store, {
    ...scannable(source),
    files: added ?? [...source.files.values()],
  });
  await session.view("bronze", reference.split(".")[1] ?? "", rows);
  await checkColumns(session, model);
  const staged = await stageModel(run, model.sql);
  return base === undefined || added === undefined ? commitRebuild(run, staged) : commitAppend(run, staged);
}
