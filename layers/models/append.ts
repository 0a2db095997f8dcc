/** Models that take over the rows of one bronze table as they come, each by itself. */
import { addedFiles } from "../../lakehouse/delta/changes.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import { commitAppend, commitNothing, commitRebuild } from "./commit-model.ts";
import { checkColumns } from "./contract.ts";
import { stageModel, stageRows } from "./model-table.ts";
import { PLACE, placedSql } from "./placed-query.ts";
import type { Model } from "./planned-model.ts";
import { clearQuarantine, findBroken } from "./quarantine/hold.ts";
import { type AppendedRows, placeSql, writeAppended } from "./quarantine/hold-appended.ts";
import { isUncast, lenientSql, UNCAST } from "./quarantine/lenient.ts";
import type { ModelResult, ModelRun } from "./run.ts";

const CHANGES = "changes";

/** Adds what the SQL makes of bronze's new files; of all files where the table is made anew. */
export async function runAppend(run: ModelRun): Promise<ModelResult> {
  const { model, session, base } = run;
  const [reference = ""] = model.references;
  const [source, table] = [run.inputs.get(reference), run.tables.get(reference)];
  if (source === undefined || table === undefined) throw new RangeError(`${reference} is not there`);
  const consumed = run.consumed?.get(reference);
  const found = consumed === undefined ? undefined : await addedFiles(table.store, consumed, source.version);
  if (base !== undefined && found?.length === 0) return commitNothing(run, base);
  const added = base === undefined ? undefined : found;
  const files = added ?? [...source.files.values()];
  await session.run(
    `CREATE VIEW ${CHANGES} AS ${await scanSql(table.store, { ...scannable(source), files })}`,
  );
  await viewBronze(run, "*");
  await checkColumns(run);
  const rows = { source, table, added, changes: CHANGES };
  const clean = await stageClean(run);
  const { staged, held, write } =
    clean === undefined ? await stageSplit(run, rows) : ofClean(run, clean, added === undefined);
  const audited = { ...run, beforeCommit: write };
  const result =
    added === undefined
      ? await commitRebuild(audited, staged, run.reason ?? "what is new in bronze is not known")
      : await commitAppend(audited, staged);
  return { ...result, rowsIn: result.rowsIn + held, held };
}

/** Rows to commit, and how what is held is brought up to them. */
interface Prepared {
  readonly staged: Staged;
  readonly held: number;
  readonly write: () => Promise<void>;
}

const ofClean = (run: ModelRun, staged: Staged, isAnew: boolean): Prepared => ({
  staged,
  held: 0,
  write: async () => {
    if (isAnew) await clearQuarantine(run, CHANGES);
  },
});

/** Stages all rows in one go, as most often they keep the contract; undefined where one does not that can be set aside. */
async function stageClean(run: ModelRun): Promise<Staged | undefined> {
  try {
    return await stageModel(run, run.model.sql);
  } catch (error) {
    if (codeOf(error) !== "CONTRACT_BROKEN" && !isUncast(error)) throw error;
    if ((await placedSql(run.target.duckdb, run.model)) === undefined) throw unplaced(run.model, error);
    return undefined;
  }
}

/** The error of a broken row of which is not known what row of bronze it is of: it has no place in quarantine. */
function unplaced({ file }: Model, error: unknown): unknown {
  if (!(error instanceof TerminalError)) return error;
  const { code, value, allowed, cause } = error;
  return new TerminalError(error.message, {
    code,
    ...(value === undefined ? {} : { value }),
    ...(allowed === undefined ? {} : { allowed }),
    next: `${error.next ?? ""} Where ${file} is one SELECT over its table, without WITH and unnest, such rows go to quarantine.`.trim(),
    cause,
  });
}

/** Rows that break the contract are set aside: the others are gone through once more. */
async function stageSplit(run: ModelRun, rows: AppendedRows): Promise<Prepared> {
  const { model, target } = run;
  const sql = (await placedSql(target.duckdb, model)) ?? model.sql;
  await viewBronze(run, `*, ${placeSql(rows.source)} AS ${PLACE}`);
  const lenient = await lenientSql(target.duckdb, { ...model, sql }, [PLACE]);
  const { ok, held } = await findBroken(run, `(${lenient})`);
  const staged = await stageRows(run, `SELECT * EXCLUDE (${UNCAST}, ${PLACE}) FROM (${lenient}) WHERE ${ok}`);
  return { staged, held, write: () => writeAppended(run, rows, held) };
}

/** `bronze.x`: what the model's SQL sees of the changes. */
function viewBronze({ session, model }: ModelRun, items: string): Promise<void> {
  const [, name = ""] = (model.references[0] ?? "").split(".");
  return session.view("bronze", name, `SELECT ${items} FROM main.${CHANGES}`);
}
