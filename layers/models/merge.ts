/**
 * Models that keep the current state of one bronze table. Bronze only grows, so its new files are the change: the
 * newest row of each key in them replaces what the table had for that key, and a deletion takes it away. Only the
 * files that hold such keys are rewritten.
 */
import type { AddFile } from "../../lakehouse/delta/actions.ts";
import { addedFiles } from "../../lakehouse/delta/changes.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import { greatestValue, holdsOneValue } from "../../lakehouse/delta/stats.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { META, META_COLUMNS, sourceKey } from "../definition/bronze-columns.ts";
import { newestSql } from "../definition/bronze-state.ts";
import { checkColumns, contractSchema, modelError } from "./contract.ts";
import type { Model } from "./model.ts";
import { commitModel, type ModelResult, type ModelRun } from "./run.ts";

const FILE = "_ingot_file";

/** Brings the table up to the pinned version of its bronze table. */
export async function runMerge(run: ModelRun): Promise<ModelResult> {
  const { model, session, target, base } = run;
  const { source, table, reference } = onlyInput(run);
  const consumed = run.consumed?.get(reference);
  const added = consumed === undefined ? undefined : await addedFiles(table.store, consumed, source.version);
  const rebuild = added === undefined || base === undefined || !(await isLaidOver(run, table, source, added));
  const files = rebuild || added === undefined ? [...source.files.values()] : added;
  await viewOfChange(run, source, table, files, rebuild);
  await checkColumns(session, model);

  const touched = rebuild ? [...(base?.files.values() ?? [])] : await touchedFiles(run, base);
  const sql = rebuild ? model.sql : await mergedSql(run, base, touched);
  const staged = await modelError(model, () => target.stage(session, sql, contractSchema(model.contract)));
  await checkKeys(run, staged);
  const rowsIn = rebuild ? staged.rows : await countChanges(session);
  const operation = base === undefined ? "CREATE TABLE AS SELECT" : rebuild ? "WRITE" : "MERGE";
  const version = await commitModel(run, staged, touched, operation);
  return { rowsIn, rowsOut: staged.rows, bytes: staged.bytes, version };
}

/**
 * Whether what is there, with the change laid over it, is what there is to be. Not after a truncation: nothing of before
 * remains. And not where changes lie before rows that were taken in: a read of the source may be ahead of its capture.
 */
async function isLaidOver(
  { session }: ModelRun,
  table: DeltaTable,
  source: Snapshot,
  added: readonly AddFile[],
): Promise<boolean> {
  const rows = await scanSql(table.store, { ...scannable(source), files: added });
  const [change] = await session.rows(
    `SELECT coalesce(bool_or(${META.operation} = 't'), false) AS truncates, min(${META.lsn})::DOUBLE AS first FROM (${rows})`,
  );
  if (change?.truncates === true) return false;
  if (typeof change?.first !== "number") return true;
  const paths = new Set(added.map((file) => file.path));
  const older = [...source.files.values()].filter((file) => !paths.has(file.path));
  return (await latest(session, table, source, older)) <= change.first;
}

/** The greatest LSN in these files: by their statistics, and by their rows where those do not tell. */
async function latest(
  session: Session,
  table: DeltaTable,
  source: Snapshot,
  files: readonly AddFile[],
): Promise<number> {
  let newest = -1;
  const unknown: AddFile[] = [];
  for (const file of files) {
    const bound = greatestValue(file, META.lsn);
    if (bound === undefined) unknown.push(file);
    else newest = Math.max(newest, bound);
  }
  if (unknown.length === 0) return newest;
  const rows = await scanSql(table.store, { ...scannable(source), files: unknown });
  const [found] = await session.rows(`SELECT max(${META.lsn})::DOUBLE AS newest FROM (${rows})`);
  return Math.max(newest, Number(found?.newest ?? -1));
}

/** What the touched files held of other keys, and what the change makes of its own. */
async function mergedSql(
  { target, model }: ModelRun,
  base: Snapshot,
  touched: readonly AddFile[],
): Promise<string> {
  const kept = await scanSql(target.store, { ...scannable(base), files: touched });
  const key = identifiers(model.contract.key);
  return `SELECT * FROM (${kept}) ANTI JOIN changes USING (${key}) UNION ALL BY NAME SELECT * FROM (${model.sql}\n)`;
}

function onlyInput(run: ModelRun): { source: Snapshot; table: DeltaTable; reference: string } {
  const { model } = run;
  const [reference = "", ...others] = model.references;
  const source = run.inputs.get(reference);
  const table = run.tables.get(reference);
  if (!source || !table || others.length > 0 || !reference.startsWith("bronze.")) {
    throw mergeError(model, `reads ${model.references.join(", ") || "no table"}`, "exactly one bronze table");
  }
  const key = sourceKey(source) ?? [];
  if (key.length === 0)
    throw mergeError(model, `reads ${reference}, which has no key`, "a bronze table with a key");
  if ([...key].sort().join() !== [...model.contract.key].sort().join()) {
    const wanted = `the key of ${reference}: ${key.join(", ")}`;
    throw mergeError(model, `has the key (${model.contract.key.join(", ")})`, wanted);
  }
  return { source, table, reference };
}

function mergeError(model: Model, value: string, allowed: string): TerminalError {
  return new TerminalError(`model ${model.name} cannot be kept as current state: it ${value}`, {
    code: "MODEL_MERGE",
    value: model.file,
    allowed,
    next: "Join and aggregate in a gold model; a merge model shapes one table row by row.",
  });
}

/** `changes`: newest row by key, deletions among them. `bronze.x`: what the model's SQL sees of it. */
async function viewOfChange(
  { session, model }: ModelRun,
  source: Snapshot,
  table: DeltaTable,
  files: readonly AddFile[],
  rebuild: boolean,
): Promise<void> {
  const rows = await scanSql(table.store, { ...scannable(source), files });
  // Rows that were read at one moment hold a key once: they need no search for the newest.
  const ofOneMoment = holdsOneValue(files, META.lsn) && holdsOneValue(files, META.sequence);
  const newest = ofOneMoment
    ? `SELECT * FROM (${rows}) WHERE ${META.operation} <> 't'`
    : newestSql(rows, model.contract.key);
  // A rebuild streams through a view; an increment is read several times and small.
  await session.run(`CREATE ${rebuild ? "VIEW" : "TABLE"} changes AS ${newest}`);
  const [, name = ""] = (model.references[0] ?? "").split(".");
  await session.view(
    "bronze",
    name,
    `SELECT * EXCLUDE (${identifiers(META_COLUMNS)}) FROM main.changes WHERE ${META.operation} <> ${literal("d")}`,
  );
}

/**
 * Each key once, and none that the change does not have: a model that invents or repeats keys cannot be kept. The
 * rows are read back from what was staged, key columns only.
 */
async function checkKeys(run: ModelRun, staged: Staged): Promise<void> {
  const { session, model, target } = run;
  const key = identifiers(model.contract.key);
  const schema = contractSchema(model.contract);
  const written = await scanSql(target.store, { schema, partitionColumns: [], files: staged.files });
  const [counts] = await session.rows(
    `SELECT count(*) - count(DISTINCT (${key})) AS repeated,
            (SELECT count(*) FROM (${model.sql}\n) ANTI JOIN changes USING (${key})) AS invented
       FROM (${written})`,
  );
  const [repeated, invented] = [Number(counts?.repeated), Number(counts?.invented)];
  if (repeated === 0 && invented === 0) return;
  await target.discard(staged);
  const value =
    repeated > 0
      ? `gives ${repeated} rows more than keys`
      : `gives ${invented} keys that its table does not have`;
  throw mergeError(
    model,
    value,
    `each row of its table at most once, under its own ${model.contract.key.join(", ")}`,
  );
}

/** Files of the target that hold a key of the change. */
async function touchedFiles(run: ModelRun, base: Snapshot): Promise<AddFile[]> {
  const { session, target, model } = run;
  const table = scannable(base);
  const scan = await scanSql(target.store, table, { fileIndex: FILE });
  const rows = await session.rows(
    `SELECT DISTINCT ${FILE} AS file FROM (${scan}) SEMI JOIN changes USING (${identifiers(model.contract.key)})`,
  );
  return rows.flatMap((row) => table.files[Number(row.file)] ?? []);
}

async function countChanges(session: Session): Promise<number> {
  const rows = await session.rows("SELECT count(*) AS rows FROM changes");
  return Number(rows[0]?.rows);
}
