/**
 * Models that keep the current state of one bronze table. Bronze only grows, so its new files are the change: the
 * newest row of each key in them replaces what the table had for that key, and a deletion takes it away.
 */
import type { AddFile } from "../../lakehouse/delta/actions.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { duckdbType } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import { greatestValue, holdsOneValue } from "../../lakehouse/delta/stats.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import { META, META_COLUMNS, sourceKey } from "../definition/bronze-columns.ts";
import { newestSql } from "../definition/bronze-state.ts";
import { commitRebuild } from "./commit-model.ts";
import { checkColumns, contractSchema, modelError, rowsOfModel } from "./contract.ts";
import { type BronzeInput, takeBronze } from "./laid-over.ts";
import { stagedSql, stageModel, stageRows } from "./model-table.ts";
import type { Model } from "./planned-model.ts";
import { clearQuarantine, holdLater, splitRows } from "./quarantine/hold.ts";
import { isUncast, lenientSql, UNCAST } from "./quarantine/lenient.ts";
import { replaceByKey } from "./replace-by-key.ts";
import type { ModelResult, ModelRun } from "./run.ts";

/** Brings the table up to the pinned version of its bronze table. */
export async function runMerge(run: ModelRun): Promise<ModelResult> {
  const input = onlyInput(run);
  const { source, table } = input;
  return takeBronze(run, input, {
    increment: (base, added) => increment(run, base, source, table, added),
    rebuild: (why) => rebuild(run, source, table, why),
  });
}

/** Makes the table of all rows of bronze. They stream from files to files. */
async function rebuild(
  run: ModelRun,
  source: Snapshot,
  table: DeltaTable,
  why: string,
): Promise<ModelResult> {
  await viewOfChange(run, source, table, [...source.files.values()], "VIEW");
  await checkColumns(run);
  const staged = await stageClean(run);
  if (staged === undefined) return rebuildSplit(run, why);
  await checkStaged(run, staged, run.model.sql, "changes");
  const audited = { ...run, beforeCommit: () => clearQuarantine(run, "changes") };
  return { ...(await commitRebuild(audited, staged, why)), held: 0 };
}

/** Stages all rows in one go, as most often they keep the contract; undefined where one does not. */
async function stageClean(run: ModelRun): Promise<Staged | undefined> {
  try {
    return await stageModel(run, run.model.sql);
  } catch (error) {
    if (codeOf(error) !== "CONTRACT_BROKEN" && !isUncast(error)) throw error;
    return undefined;
  }
}

/** Rows that break the contract are set aside: the others are gone through once more. */
async function rebuildSplit(run: ModelRun, why: string): Promise<ModelResult> {
  await run.session.run("CREATE TABLE newest AS FROM changes");
  const rows = await lenientSql(run.target.duckdb, run.model);
  const { kept, held, write } = await splitRows(run, rows, "newest");
  const staged = await stageRows(run, kept);
  await checkStaged(run, staged, rows, "newest");
  return { ...(await commitRebuild({ ...run, beforeCommit: write }, staged, why)), held };
}

async function checkStaged(run: ModelRun, staged: Staged, sql: string, known: string): Promise<void> {
  try {
    await checkKeys(run, await stagedSql(run, staged), sql, known);
  } catch (error) {
    await run.target.discard(staged);
    throw error;
  }
}

/** Lays the change over the table. */
async function increment(
  run: ModelRun,
  base: Snapshot,
  source: Snapshot,
  table: DeltaTable,
  added: readonly AddFile[],
): Promise<ModelResult> {
  const { model, session, target } = run;
  await viewOfChange(run, source, table, added, "TABLE");
  await checkColumns(run);
  await rowsOfModel(run, model.sql, "strict").then(
    () => session.run(`CREATE VIEW candidates AS SELECT *, false AS ${UNCAST} FROM strict`),
    async (error: unknown) => {
      if (!isUncast(error)) throw error;
      await modelError(model, async () =>
        session.run(`CREATE TABLE candidates AS ${await lenientSql(target.duckdb, model)}`),
      );
    },
  );
  // What has no place in the type of the key cannot be in the table either.
  const fields = contractSchema(model.contract).fields.filter((f) => model.contract.key.includes(f.name));
  const columns = fields.map((f) => {
    const name = identifier(f.name);
    return `TRY_CAST(${name} AS ${duckdbType(f.type)}) AS ${name}`;
  });
  await session.run(`CREATE TABLE keys AS SELECT DISTINCT ${columns.join(", ")} FROM changes`);
  await checkKeys(run, "FROM candidates", "FROM candidates", "keys");
  const origin = { changes: "changes", keys: "keys" };
  const { held, write } = await holdLater(run, "candidates", "result", origin);
  const rowsIn = await countChanges(session);
  // A table that fails its audits stays as it was, and so does what is held beside it.
  const audited = { ...run, beforeCommit: write };
  return { ...(await replaceByKey(audited, base, { keys: "keys", rows: "result", rowsIn })), held };
}

function onlyInput(run: ModelRun): BronzeInput {
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
  kind: "VIEW" | "TABLE",
): Promise<void> {
  const rows = await scanSql(table.store, { ...scannable(source), files });
  // Rows that were read at one moment hold a key once: they need no search for the newest.
  const wereRead = files.every((file) => greatestValue(file, META.sequence) === 0);
  const ofOneMoment = wereRead && holdsOneValue(files, META.lsn);
  const newest = ofOneMoment
    ? `SELECT * FROM (${rows}) WHERE ${META.operation} <> 't'`
    : newestSql(rows, model.contract.key);
  // A rebuild streams through a view; an increment is read several times and small.
  await session.run(`CREATE ${kind} changes AS ${newest}`);
  const [, name = ""] = (model.references[0] ?? "").split(".");
  await session.view(
    "bronze",
    name,
    `SELECT * EXCLUDE (${identifiers(META_COLUMNS)}) FROM main.changes WHERE ${META.operation} <> ${literal("d")}`,
  );
}

/**
 * Each key once, and none that `known` does not have: a model that invents or repeats keys cannot be kept. `rows` are
 * those that are to be there, `all` what the model gives.
 */
async function checkKeys(
  { session, model }: ModelRun,
  rows: string,
  all: string,
  known: string,
): Promise<void> {
  const key = identifiers(model.contract.key);
  const [counts] = await modelError(model, () =>
    session.rows(
      `SELECT count(*) - count(DISTINCT (${key})) AS repeated,
              (SELECT count(*) FROM (${all}\n) ANTI JOIN ${known} USING (${key})) AS invented
         FROM (${rows})`,
    ),
  );
  const [repeated, invented] = [Number(counts?.repeated), Number(counts?.invented)];
  if (repeated === 0 && invented === 0) return;
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

async function countChanges(session: Session): Promise<number> {
  const rows = await session.rows("SELECT count(*) AS rows FROM changes");
  return Number(rows[0]?.rows);
}
