/**
 * The common end of models that are kept by key: new rows of some keys take the place of what the table has for
 * them. Rows that are as they were are left alone, so that what reads the table sees what changed and nothing else.
 */
import { applyRowChanges } from "../../lakehouse/delta/change/apply.ts";
import { matchingFiles } from "../../lakehouse/delta/change/merge-files.ts";
import { FILE, inWorkspace, KIND, ROW, type Workspace } from "../../lakehouse/delta/change/workspace.ts";
import { bytesOf } from "../../lakehouse/delta/maintain/optimize-metrics.ts";
import { scannable, scanSql, withoutDeletedSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { identifier, identifiers } from "../../lakehouse/duckdb/quote.ts";
import { commitActions, commitNothing } from "./commit-model.ts";
import type { ModelResult, ModelRun } from "./run.ts";

/** Up to so many bytes it is quicker to look into files than to find out which ones matter. */
const SMALL_BYTES = 16 * 1024 * 1024;

const PLACES = { fileIndex: FILE, rowIndex: ROW };

/** Relations of the session, in the columns and types of the contract. */
export interface Replacement {
  /** The keys to be replaced, each once; undefined for all that the table has. */
  readonly keys: string | undefined;
  /** Their rows as they are to be, each key once; a key without row goes. */
  readonly rows: string;
  /** Rows that were read to know this. */
  readonly rowsIn: number;
}

/** Brings the rows of these keys into the table, in one commit with the record of the run. */
export async function replaceByKey(
  run: ModelRun,
  base: Snapshot,
  { keys, rows, rowsIn }: Replacement,
): Promise<ModelResult> {
  const { model, session, target } = run;
  return inWorkspace(target.duckdb, session, async (workspace) => {
    const { name } = workspace;
    const [former, touched, written] = [name("former"), name("touched"), name("written")];
    const files = await findFormer(run, workspace, base, keys, former);
    const { key } = model.contract;
    const others = Object.keys(model.contract.columns).filter((column) => !key.includes(column));
    const differs = others
      .map((column) => `former.${identifier(column)} IS DISTINCT FROM fresh.${identifier(column)}`)
      .join(" OR ");
    const first = identifier(key[0] ?? "");
    const changed = (side: string) => `${side}.${first} IS NULL OR ${differs || "false"}`;
    const using = `USING (${identifiers(key)})`;
    await session.run(
      `CREATE TABLE ${touched} AS SELECT former.*, CASE WHEN fresh.${first} IS NULL THEN 'delete' ELSE 'update' END AS ${KIND}
         FROM ${former} AS former LEFT JOIN ${rows} AS fresh ${using} WHERE ${changed("fresh")};
       CREATE TABLE ${written} AS SELECT fresh.*, CASE WHEN former.${first} IS NULL THEN 'insert' ELSE 'update' END AS ${KIND}
         FROM ${rows} AS fresh LEFT JOIN ${former} AS former ${using} WHERE ${changed("former")}`,
    );
    const counts = await countKinds(workspace, touched, written);
    if (counts.gone + counts.written === 0) return commitNothing(run, base, rowsIn);
    const changes = { files, touched, former: touched, written, after: base };
    const applied = await applyRowChanges(target, workspace, base, changes);
    const version = await commitActions(run, "MERGE", applied.actions, applied.metrics, applied.staged);
    const added = applied.actions.flatMap((a) => ("add" in a && !a.add.deletionVector ? a.add.size : []));
    const bytes = added.reduce((sum, size) => sum + size, 0);
    return { status: "incremental", rowsIn, rowsOut: counts.written, bytes, version };
  });
}

/** Makes `former`: the rows that the table has of these keys, with their places. Gives the files that these are in. */
async function findFormer(
  { model, session, target }: ModelRun,
  workspace: Workspace,
  base: Snapshot,
  keys: string | undefined,
  former: string,
) {
  if (keys === undefined) {
    const all = await scanSql(target.store, scannable(base), PLACES);
    await session.run(`CREATE TABLE ${former} AS ${all}`);
    return scannable(base).files;
  }
  const equal = model.contract.key.map((name) => `target.${identifier(name)} = source.${identifier(name)}`);
  const on = equal.join(" AND ");
  const all = scannable(base);
  const isSmall = bytesOf(all.files) <= SMALL_BYTES;
  const { files } = isSmall ? all : await matchingFiles(target.duckdb, workspace.session, base, { on }, keys);
  const table = { ...all, files };
  // Few rows are looked for: the deleted ones among them are left out after.
  const scan = await scanSql(target.store, table, { ...PLACES, withDeleted: true });
  const found = `SELECT target.* FROM (${scan}) AS target JOIN ${keys} AS source ON ${on}`;
  await session.run(
    `CREATE TABLE ${former} AS ${await withoutDeletedSql(target.store, table, found, PLACES)}`,
  );
  return files;
}

async function countKinds({ session }: Workspace, touched: string, written: string) {
  const [counts] = await session.rows(
    `SELECT (SELECT count(*) FROM ${touched}) AS gone, (SELECT count(*) FROM ${written}) AS written`,
  );
  return { gone: Number(counts?.gone), written: Number(counts?.written) };
}
