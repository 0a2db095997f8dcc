/**
 * Models that keep the current state of one bronze table. Bronze only grows, so its new files are the change: the
 * newest row of each key in them replaces what the table had for that key, and a deletion takes it away. Only the
 * files that hold such keys are rewritten.
 */
import type { AddFile } from "../../lakehouse/delta/actions.ts";
import { addedFiles } from "../../lakehouse/delta/changes.ts";
import { type Scannable, scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import { identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { META, META_COLUMNS } from "../definition/bronze-columns.ts";
import { checkColumns, contractSchema, modelError } from "../models/contract.ts";
import type { Model } from "../models/model.ts";
import { commitModel, type ModelResult, type ModelRun } from "../models/run.ts";

const FILE = "_ingot_file_path";

/** Brings the table up to the pinned version of its bronze table. */
export async function runMerge(run: ModelRun): Promise<ModelResult> {
  const { model, session, target, base } = run;
  const { source, table, reference } = onlyInput(run);
  const consumed = run.consumed?.get(reference);
  const added = consumed === undefined ? undefined : await addedFiles(table.store, consumed, source.version);
  const change = added ?? wholeTable(source);
  await viewOfChange(run, source, table, change);
  await checkColumns(session, model);

  const schema = contractSchema(model.contract);
  if (added === undefined || base === undefined) {
    const staged = await modelError(model, () => target.stage(session, model.sql, schema));
    const removes = [...(base?.files.values() ?? [])];
    const version = await commitModel(run, staged, removes, base ? "WRITE" : "CREATE TABLE AS SELECT");
    return { rowsIn: staged.rows, rowsOut: staged.rows, bytes: staged.bytes, version };
  }
  const touched = await touchedFiles(run, base);
  const key = identifiers(model.contract.key);
  const kept = await scanSql(target.store, { ...scannable(base), files: touched });
  const merged = `SELECT * FROM (${kept}) ANTI JOIN changes USING (${key}) UNION ALL BY NAME SELECT * FROM (${model.sql}\n)`;
  const staged = await modelError(model, () => target.stage(session, merged, schema));
  const rowsIn = await changedRows(run);
  const version = await commitModel(run, staged, touched, "MERGE");
  return { rowsIn, rowsOut: staged.rows, bytes: staged.bytes, version };
}

function onlyInput(run: ModelRun): { source: Snapshot; table: DeltaTable; reference: string } {
  const { model } = run;
  const [reference = "", ...others] = model.references;
  const source = run.inputs.get(reference);
  const table = run.tables.get(reference);
  if (!source || !table || others.length > 0 || !reference.startsWith("bronze.")) {
    throw mergeError(model, `reads ${model.references.join(", ") || "no table"}`, "exactly one bronze table");
  }
  const columns = source.schema.fields.map((f) => f.name);
  const missing = model.contract.key.filter((name) => !columns.includes(name));
  if (model.contract.key.length === 0 || missing.length > 0) {
    throw mergeError(
      model,
      `has the key (${model.contract.key.join(", ")})`,
      `key columns of ${reference}, under their own names`,
    );
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

interface Change {
  readonly files: readonly AddFile[];
  /** One ingestion never holds a key twice, so a change of one commit needs no search for the newest row. */
  readonly commits: number;
}

/** All of bronze as change. A file is written by one commit, so one file is one commit. */
function wholeTable(source: Snapshot): Change {
  const files = [...source.files.values()];
  return { files, commits: files.length };
}

/** `changes`: newest row by key, deletions among them. `bronze.x`: what the model's SQL sees of it. */
async function viewOfChange(
  run: ModelRun,
  source: Snapshot,
  table: DeltaTable,
  change: Change,
): Promise<void> {
  const { session, model } = run;
  const part: Scannable = { ...scannable(source), files: change.files };
  const rows = await scanSql(table.store, part);
  const newest =
    change.commits <= 1
      ? rows
      : `SELECT * FROM (${rows}) QUALIFY row_number() OVER (PARTITION BY ${identifiers(model.contract.key)} ORDER BY ${META.lsn} DESC) = 1`;
  // A rebuild streams through a view; an increment is read several times and small.
  const kind = run.consumed === undefined ? "VIEW" : "TABLE";
  await session.run(`CREATE ${kind} changes AS ${newest}`);
  const present = new Set(source.schema.fields.map((f) => f.name));
  const hidden = META_COLUMNS.filter((name) => present.has(name));
  const [, name = ""] = (model.references[0] ?? "").split(".");
  await session.view(
    "bronze",
    name,
    `SELECT * EXCLUDE (${identifiers(hidden)}) FROM main.changes WHERE ${META.operation} <> ${literal("d")}`,
  );
}

/** Files of the target that hold a key of the change. */
async function touchedFiles(run: ModelRun, base: Snapshot): Promise<AddFile[]> {
  const { session, target, model } = run;
  const scan = await scanSql(target.store, scannable(base), FILE);
  const rows = await session.rows(
    `SELECT DISTINCT ${FILE} AS path FROM (${scan}) SEMI JOIN changes USING (${identifiers(model.contract.key)})`,
  );
  return rows.flatMap((row) => base.files.get(String(row.path)) ?? []);
}

async function changedRows(run: ModelRun): Promise<number> {
  const rows = await run.session.rows("SELECT count(*) AS rows FROM changes");
  return Number(rows[0]?.rows);
}
