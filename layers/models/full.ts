/** Models that are recomputed whole. With a key, the rows that differ are written; else all of them, if any differs. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { commitNothing, commitRebuild } from "./commit-model.ts";
import { checkColumns, rowsOfModel } from "./contract.ts";
import { viewInputs } from "./inputs.ts";
import { refuseRepeatedKeys } from "./keys.ts";
import { stagedSql, stageModel } from "./model-table.ts";
import { refuseBroken } from "./refuse-broken.ts";
import { replaceByKey } from "./replace-by-key.ts";
import type { ModelResult, ModelRun } from "./run.ts";

/** Runs the SQL over the inputs' snapshots and brings the table to what it gives. */
export async function runFull(run: ModelRun): Promise<ModelResult> {
  await viewInputs(run);
  await checkColumns(run);
  if (run.base === undefined || run.consumed === undefined) return remake(run, run.model.sql);
  await rowsOfModel(run, run.model.sql, "result");
  await refuseBroken(run, "result");
  await refuseRepeatedKeys(run, "result");
  const [counted] = await run.session.rows("SELECT count(*) AS rows FROM result");
  const rowsIn = Number(counted?.rows);
  if (run.model.contract.key.length > 0)
    return replaceByKey(run, run.base, { keys: undefined, rows: "result", rowsIn });
  return (await isSame(run, run.base))
    ? commitNothing(run, run.base, rowsIn)
    : remake(run, "SELECT * FROM result", "its rows differ, and have no key");
}

/** Writes all rows of a query in place of those that the table has. `why`: as `commitRebuild` has it. */
export async function remake(run: ModelRun, sql: string, why?: string): Promise<ModelResult> {
  const staged = await stageModel(run, sql);
  try {
    await refuseRepeatedKeys(run, `(${await stagedSql(run, staged)})`);
  } catch (error) {
    await run.target.discard(staged);
    throw error;
  }
  return commitRebuild(run, staged, run.reason ?? why);
}

/** Whether the table has just these rows, each as often. */
async function isSame({ session, target }: ModelRun, base: Snapshot): Promise<boolean> {
  const former = await scanSql(target.store, scannable(base));
  const [found] = await session.rows(
    `SELECT EXISTS (FROM result EXCEPT ALL (${former})) OR EXISTS ((${former}) EXCEPT ALL FROM result) AS differs`,
  );
  return found?.differs !== true;
}
