/** Models that keep every version of the rows of one bronze table: what was so, from when, until when. */
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import { matchingFiles } from "../../../lakehouse/delta/change/merge-files.ts";
import { bytesOf } from "../../../lakehouse/delta/maintain/optimize-metrics.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier, identifiers } from "../../../lakehouse/duckdb/quote.ts";
import { messageOf } from "../../../lakehouse/errors.ts";
import { META, sourceKey } from "../../definition/bronze-columns.ts";
import { VALID_FROM } from "../../definition/model-columns.ts";
import { commitRebuild } from "../commit-model.ts";
import { checkColumns, modelError } from "../contract.ts";
import type { Kind } from "../kind.ts";
import { takeBronze } from "../laid-over.ts";
import { stageModel } from "../model-table.ts";
import { PLACE, placedSql } from "../placed-query.ts";
import { clearQuarantine, withoutKey } from "../quarantine/hold.ts";
import { writeAppended } from "../quarantine/hold-appended.ts";
import { refuseBroken } from "../refuse-broken.ts";
import { replaceByKey } from "../replace-by-key.ts";
import type { ModelResult, ModelRun } from "../run.ts";
import { checkHistory, historyError, historyKey } from "./check-history.ts";
import { CHANGES, viewBronze, viewChanges } from "./placed-changes.ts";
import { settingAside } from "./set-aside.ts";
import { OTHER_KEY, type VersionSources, versionsSql } from "./versions.ts";

/** Up to so many bytes it is quicker to look into files than to find out which ones matter. */
const SMALL_BYTES = 16 * 1024 * 1024;

export const scd2Kind: Kind = { plan: checkHistory, run: runScd2, hasQuarantine: true };

async function runScd2(run: ModelRun): Promise<ModelResult> {
  const [reference = ""] = run.model.references;
  const [source, table] = [run.inputs.get(reference), run.tables.get(reference)];
  if (source === undefined || table === undefined) throw new RangeError(`${reference} is not there`);
  checkSourceKey(run, sourceKey(source) ?? []);
  return takeBronze(
    run,
    { reference, source, table },
    {
      increment: (base, added) => increment(run, base, source, table, added),
      rebuild: (why) => rebuild(run, source, table, why),
      // Of a transaction the last change of a row counts: none is taken in in parts.
      strictly: true,
    },
  );
}

function checkSourceKey({ model }: ModelRun, key: readonly string[]): void {
  const reference = model.references[0] ?? "";
  if (key.length === 0)
    throw historyError(model, `reads ${reference}, which has no key`, "a table with a key");
  if ([...key].sort().join("\n") === [...historyKey(model)].sort().join("\n")) return;
  const wanted = `${[...key, VALID_FROM].join(", ")}: the key of ${reference}, and ${VALID_FROM}`;
  throw historyError(model, `has the key (${model.contract.key.join(", ")})`, wanted);
}

/** Makes the table of all rows of bronze. They stream from files to files. */
async function rebuild(
  run: ModelRun,
  source: Snapshot,
  table: DeltaTable,
  why: string,
): Promise<ModelResult> {
  await viewChanges(run, source, table, [...source.files.values()], "VIEW");
  const [found] = await run.session.rows(
    `SELECT bool_or(${META.operation} = 't') AS truncated FROM ${CHANGES}`,
  );
  const truncated = found?.truncated === true;
  await placeChanges(run);
  const { made, held } = await settingAside(run, source, (aside) =>
    ofVersions(run, { former: undefined, truncated, aside }, (versions) => stageModel(run, versions)),
  );
  const beforeCommit = () =>
    held === 0
      ? clearQuarantine(run, CHANGES)
      : writeAppended(run, { source, table, added: undefined, changes: CHANGES }, held);
  return { ...(await commitRebuild({ ...run, beforeCommit }, made, why)), held };
}

/** Lays the change over the newest versions of the rows that it is about. */
async function increment(
  run: ModelRun,
  base: Snapshot,
  source: Snapshot,
  table: DeltaTable,
  added: readonly AddFile[],
): Promise<ModelResult> {
  const { session, model } = run;
  await viewChanges(run, source, table, added, "TABLE");
  await placeChanges(run);
  const former = await newestVersions(run, base);
  const { held } = await settingAside(run, source, async (aside) => {
    await ofVersions(run, { former, truncated: false, aside }, (versions) =>
      modelError(model, () => session.run(`CREATE OR REPLACE TABLE result AS ${versions}`)),
    );
    await refuseBroken(run, "result");
  });
  await session.run(`CREATE TABLE keys AS SELECT ${identifiers(model.contract.key)} FROM result`);
  const rowsIn = await count(session, CHANGES);
  const beforeCommit = async () => {
    if (held > 0) await writeAppended(run, { source, table, added, changes: CHANGES }, held);
  };
  const replaced = await replaceByKey({ ...run, beforeCommit }, base, {
    keys: "keys",
    rows: "result",
    rowsIn,
  });
  return { ...replaced, held };
}

/** Makes the table of the newest version of each row that a change is about, as the model's table has it. */
async function newestVersions(run: ModelRun, base: Snapshot): Promise<string> {
  const { session, model, target } = run;
  const key = historyKey(model);
  const typed = key.map((name, i) => `k.k${i} AS ${identifier(name)}`).join(", ");
  await session.run(
    `CREATE TABLE touched AS SELECT DISTINCT ${typed} FROM (SELECT ${PLACE} AS k FROM ${CHANGES})`,
  );
  const on = key.map((name) => `target.${identifier(name)} = source.${identifier(name)}`).join(" AND ");
  const all = scannable(base);
  const isSmall = bytesOf(all.files) <= SMALL_BYTES;
  const { files } = isSmall ? all : await matchingFiles(target.duckdb, session, base, { on }, "touched");
  const rows = await scanSql(target.store, { ...all, files });
  await session.run(
    `CREATE TABLE former AS SELECT target.* FROM (${rows}) AS target JOIN touched AS source ON ${on}
       QUALIFY row_number() OVER (PARTITION BY ${identifiers(key, "target")} ORDER BY target.${identifier(VALID_FROM)} DESC) = 1`,
  );
  return "former";
}

/** Lets the model's SQL see the changes with their places, once it is known to fit the contract and to give keys. */
async function placeChanges(run: ModelRun): Promise<void> {
  await viewBronze(run);
  await checkColumns(run);
  await viewBronze(run, "with places");
  await refuseWithoutKey(run);
}

/** Does something with the query of versions; a row under another key than its own is told as such. */
async function ofVersions<T>(
  run: ModelRun,
  sources: VersionSources,
  work: (versions: string) => Promise<T>,
): Promise<T> {
  const { model, target } = run;
  try {
    return await work(await versionsSql(target.duckdb, model, sources));
  } catch (error) {
    if (!messageOf(error).includes(OTHER_KEY)) throw error;
    throw historyError(
      model,
      "gives rows under other keys than their own",
      `${historyKey(model).join(", ")} as its table has it`,
    );
  }
}

/** A row whose key is not known, or has no place in the key's type, can have no history. */
async function refuseWithoutKey({ session, model, target }: ModelRun): Promise<void> {
  const unknown = historyKey(model)
    .map((_, i) => `${PLACE}.k${i} IS NULL`)
    .join(" OR ");
  const changed = `${META.operation} NOT IN ('d', 't')`;
  if ((await count(session, `${CHANGES} WHERE ${changed} AND (${unknown})`)) === 0) return;
  // Those that the SQL leaves out need none.
  const placed = await placedSql(target.duckdb, model);
  const without = await modelError(model, () => count(session, `(${placed}\n) WHERE ${unknown}`));
  if (without > 0) throw withoutKey(model, without);
}

async function count(session: Session, relation: string): Promise<number> {
  const [found] = await session.rows(`SELECT count(*) AS rows FROM ${relation}`);
  return Number(found?.rows);
}
