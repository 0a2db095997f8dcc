/** MERGE: rows of a source brought into a table by a condition (insert, update, delete in one commit). */
import { TerminalError } from "../../errors.ts";
import { attempt } from "../attempt.ts";
import { checkNames } from "../evolve.ts";
import { type Scannable, scannable, scanSql, withoutDeletedSql } from "../scan.ts";
import { sessionOf, withSource } from "../source.ts";
import type { DeltaTable } from "../table.ts";
import { applyRowChanges } from "./apply.ts";
import { commitChanges } from "./delete.ts";
import { shapeFor } from "./incoming.ts";
import { matchingFiles } from "./merge-files.ts";
import type { MergeResult, MergeSpec } from "./merge-spec.ts";
import {
  ambiguousSql,
  insertedSql,
  type MergeShape,
  matchedSql,
  mayMeetDeleted,
  SOURCE_ROW,
  touchedSql,
  unmatchedSql,
  writtenSql,
} from "./merge-sql.ts";
import { FILE, inWorkspace, KIND, ROW, type Workspace } from "./workspace.ts";

/** Names by which the scans of the table say where a row is. */
const PLACES = { fileIndex: FILE, rowIndex: ROW };

/**
 * Merges. Rejects with `DELTA_AMBIGUOUS_MERGE` where two rows of the source would change one row of the table. Rows
 * whose condition is NULL do not match.
 */
export async function mergeRows(table: DeltaTable, spec: MergeSpec): Promise<MergeResult> {
  checkSpec(spec);
  const nothing: Omit<MergeResult, "version"> = { updatedRows: 0, deletedRows: 0, insertedRows: 0 };
  const columns = "rows" in Object(spec.source) ? (await table.existingSnapshot()).schema : undefined;
  return withSource(spec.source, columns, (sql) =>
    inWorkspace(table.duckdb, sessionOf(spec.source), async (workspace) => {
      // The source is read once: it may be dear, or give other rows the next time.
      const source = workspace.name("source");
      checkNames((await workspace.session.describe(sql)).map((column) => column.name));
      await workspace.session.run(
        `CREATE TABLE ${source} AS SELECT *, row_number() OVER () AS ${SOURCE_ROW} FROM (${sql}\n)`,
      );
      const done = await attempt(table.store.root, () => mergeOnce(table, workspace, spec, source));
      return { ...nothing, ...done?.counts, version: done?.version };
    }),
  );
}

async function mergeOnce(table: DeltaTable, workspace: Workspace, spec: MergeSpec, source: string) {
  const { session, name } = workspace;
  const base = await table.existingSnapshot();
  const selection = await matchingFiles(table.duckdb, session, base, spec, source);
  const grows = spec.evolveSchema === true;
  // Without growth, columns that only the source has are of use to conditions and expressions.
  const rows = `SELECT * EXCLUDE (${SOURCE_ROW}) FROM ${source}`;
  const after = grows
    ? await shapeFor(session, rows, base, true)
    : { metadata: base.metadata, schema: base.schema };
  const described = await session.describe(rows);
  const target = { ...scannable(base), files: selection.files };
  const shape: MergeShape = {
    spec,
    names: { source, matched: name("matched"), unmatched: name("unmatched"), inserted: name("inserted") },
    before: base.schema,
    after: after.schema,
    source: described.map((column) => column.name),
    scan: await scanSql(table.store, target, PLACES),
  };
  await session.run(
    `CREATE OR REPLACE TABLE ${shape.names.matched} AS ${await pairsSql(table, target, shape)}`,
  );
  await refuseAmbiguity(workspace, shape);
  if (spec.notMatchedBySource?.length)
    await session.run(`CREATE OR REPLACE TABLE ${shape.names.unmatched} AS ${unmatchedSql(shape)}`);
  if (spec.notMatched?.length)
    await session.run(`CREATE OR REPLACE TABLE ${shape.names.inserted} AS ${insertedSql(shape)}`);
  const touched = name("touched");
  await session.run(`CREATE OR REPLACE VIEW ${touched} AS ${touchedSql(shape)}`);
  const sql = writtenSql(shape);
  const written = sql === undefined ? undefined : name("written");
  if (written) await session.run(`CREATE OR REPLACE VIEW ${written} AS ${sql}`);
  const counts = await countRows(workspace, shape, touched);
  if (counts.updatedRows + counts.deletedRows + counts.insertedRows === 0) return undefined;

  const applied = await applyRowChanges(table, workspace, base, {
    files: selection.files,
    touched,
    written,
    after,
  });
  const outcome = await commitChanges(table, base, applied, {
    operation: "MERGE",
    operationParameters: {
      predicate: spec.on,
      matchedPredicates: spec.matched ?? [],
      notMatchedPredicates: spec.notMatched ?? [],
    },
    metrics: {
      ...applied.metrics,
      numTargetRowsUpdated: String(counts.updatedRows),
      numTargetRowsDeleted: String(counts.deletedRows),
      numTargetRowsInserted: String(counts.insertedRows),
    },
    reads: selection.reads,
    ...(after.metadata === base.metadata ? {} : { extra: [{ metaData: after.metadata }] }),
  });
  return { outcome, counts };
}

/** SQL of the pairs that match, the deleted rows left out before or after, whichever is right and quick. */
async function pairsSql(table: DeltaTable, target: Scannable, shape: MergeShape): Promise<string> {
  if (!mayMeetDeleted(shape.spec)) return matchedSql(shape);
  const scan = await scanSql(table.store, target, { ...PLACES, withDeleted: true });
  return withoutDeletedSql(table.store, target, matchedSql({ ...shape, scan }), PLACES);
}

async function countRows({ session }: Workspace, { spec, names }: MergeShape, touched: string) {
  const kinds = await session.rows(`SELECT ${KIND} AS kind, count(*) AS n FROM ${touched} GROUP BY ALL`);
  const of = (kind: string) => Number(kinds.find((row) => row.kind === kind)?.n ?? 0);
  const inserted = spec.notMatched?.length
    ? await session.rows(`SELECT count(*) AS n FROM ${names.inserted}`)
    : [];
  return { updatedRows: of("update"), deletedRows: of("delete"), insertedRows: Number(inserted[0]?.n ?? 0) };
}

async function refuseAmbiguity({ session }: Workspace, shape: MergeShape): Promise<void> {
  const sql = ambiguousSql(shape);
  const [found] = sql === undefined ? [] : await session.rows(sql);
  if (found === undefined) return;
  throw new TerminalError(`${found.found} rows of the source match one row of the table`, {
    code: "DELTA_AMBIGUOUS_MERGE",
    value: String(found.row).slice(0, 500),
    allowed: "at most one row of the source for each row of the table",
    next: "Make the source unique by the condition, for example with QUALIFY row_number() OVER (…) = 1.",
  });
}

function checkSpec({ matched = [], notMatched = [], notMatchedBySource = [] }: MergeSpec): void {
  if (matched.length + notMatched.length + notMatchedBySource.length === 0) {
    throw new TerminalError("a merge needs at least one clause", {
      code: "DELTA_BAD_MERGE",
      allowed: "matched, notMatched, notMatchedBySource",
    });
  }
  for (const clauses of [matched, notMatched, notMatchedBySource]) {
    const never = clauses.findIndex((clause, i) => i < clauses.length - 1 && clause.when === undefined);
    if (never < 0) continue;
    throw new TerminalError("only the last clause of a kind may be without condition", {
      code: "DELTA_BAD_MERGE",
      value: JSON.stringify(clauses[never]),
      next: "Clauses after it would never apply: give it a `when`, or leave them out.",
    });
  }
}
