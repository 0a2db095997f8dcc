/** Appending and overwriting, the table's columns growing where that is allowed. */
import type { Session } from "../../duckdb/duckdb.ts";
import { identifier } from "../../duckdb/quote.ts";
import type { Action, Metadata, SetTransaction } from "../actions.ts";
import { attempt } from "../attempt.ts";
import { mergeColumns } from "../evolve.ts";
import { inferSchema } from "../infer-schema.ts";
import { addColumns, removeOf } from "../metadata.ts";
import { duckdbType, type StructType } from "../schema.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Source, sessionOf, withSource } from "../source.ts";
import type { Staged } from "../stage.ts";
import type { DeltaTable } from "../table.ts";
import { commitChanges, takeOut } from "./delete.ts";
import { type Selection, selectFiles } from "./select-files.ts";
import { inWorkspace } from "./workspace.ts";

export interface AppendOptions {
  /** Columns that the table does not have are added to it; without this they are an error. */
  readonly evolveSchema?: boolean;
  /** Recorded with the rows. A commit that another one of the same application has overtaken is not tried again. */
  readonly transaction?: SetTransaction;
}

export interface WriteResult {
  readonly version: number;
  readonly rows: number;
  readonly bytes: number;
}

/** Adds rows. Where `transaction` says what the table already holds, nothing is added and `rows` is 0. */
export async function appendRows(
  table: DeltaTable,
  source: Source,
  options: AppendOptions = {},
): Promise<WriteResult> {
  const { transaction } = options;
  const done = await attempt(table.store.root, async () => {
    const base = await table.existingSnapshot();
    if (transaction && isRecorded(base, transaction)) return undefined;
    return staging(table, base, source, options, async ({ staged, actions }) => {
      const outcome = await table.commit({
        base,
        operation: "WRITE",
        operationParameters: { mode: "Append", partitionBy: base.metadata.partitionColumns },
        operationMetrics: metricsOf(staged),
        actions: [
          ...actions,
          ...(transaction ? [{ txn: transaction }] : []),
          ...staged.files.map((add) => ({ add })),
        ],
        reads: "nothing",
      });
      if (outcome.status === "lost") await table.discard(staged);
      return { outcome, rows: staged.rows, bytes: staged.bytes };
    });
  });
  if (done) return { version: done.version, rows: done.rows, bytes: done.bytes };
  return { version: (await table.existingSnapshot()).version, rows: 0, bytes: 0 };
}

/**
 * Replaces all rows, or those that fulfil `where`; the new rows must fulfil it too. Without `where` and with
 * `replaceSchema` the columns become those of the source.
 */
export async function overwriteRows(
  table: DeltaTable,
  source: Source,
  options: AppendOptions & { readonly where?: string } = {},
): Promise<WriteResult> {
  const { where } = options;
  const done = await attempt(table.store.root, async () => {
    const base = await table.existingSnapshot();
    const selection: Selection | undefined =
      where === undefined ? undefined : await selectFiles(table.duckdb, base, where);
    return staging(
      table,
      base,
      source,
      options,
      async ({ staged, actions: evolution }) => {
        const transaction = options.transaction ? [{ txn: options.transaction }] : [];
        const adds = staged.files.map((add) => ({ add }));
        const about = {
          operation: "WRITE",
          operationParameters: { mode: "Overwrite", ...(where === undefined ? {} : { predicate: where }) },
          metrics: metricsOf(staged),
        };
        if (selection === undefined) {
          const now = table.now();
          const removes = [...base.files.values()].map((file) => ({ remove: removeOf(file, now) }));
          const outcome = await table.commit({
            base,
            ...about,
            operationMetrics: about.metrics,
            actions: [...evolution, ...transaction, ...removes, ...adds],
            reads: "table",
          });
          if (outcome.status === "lost") await table.discard(staged);
          return { outcome, rows: staged.rows, bytes: staged.bytes };
        }
        const outcome = await inWorkspace(table.duckdb, undefined, async (workspace) => {
          const taken = await takeOut(table, workspace, base, selection, where, staged.files);
          return commitChanges(
            table,
            base,
            { ...taken, staged: [...taken.staged, ...staged.files] },
            { ...about, reads: selection.reads, extra: [...evolution, ...transaction, ...adds] },
          );
        });
        return { outcome, rows: staged.rows, bytes: staged.bytes };
      },
      where,
    );
  });
  if (done === undefined) throw new RangeError("an overwrite always commits");
  return { version: done.version, rows: done.rows, bytes: done.bytes };
}

function isRecorded(base: Snapshot, { appId, version }: SetTransaction): boolean {
  return (base.transactions.get(appId)?.version ?? -1) >= version;
}

interface StagedSource {
  readonly staged: Staged;
  /** The table's new metadata, where the rows brought columns. */
  readonly actions: readonly Action[];
}

/** Stages a source in the columns of the table, grown by what the source brings; `where` must hold for every row. */
async function staging<T>(
  table: DeltaTable,
  base: Snapshot,
  source: Source,
  { evolveSchema = false }: AppendOptions,
  work: (staged: StagedSource) => Promise<T>,
  where?: string,
): Promise<T> {
  return withSource(source, base.schema, async (sql) => {
    const given = sessionOf(source);
    const session = given ?? (await table.duckdb.session());
    try {
      const { metadata, schema, given: columns } = await shapeFor(session, sql, base, evolveSchema);
      const configuration =
        where === undefined
          ? metadata.configuration
          : { ...metadata.configuration, "delta.constraints.where": where };
      const staged = await table.stage(session, alignedSql(sql, schema, columns), {
        metadata: { ...metadata, configuration },
        schema,
      });
      return await work({ staged, actions: metadata === base.metadata ? [] : [{ metaData: metadata }] });
    } finally {
      if (given === undefined) await session.close();
    }
  });
}

/** The table's metadata and columns once these rows are in it. */
export async function shapeFor(
  session: Session,
  sql: string,
  base: Snapshot,
  evolve: boolean,
): Promise<{ metadata: Metadata; schema: StructType; given: StructType }> {
  const described = await session.describe(sql);
  const unknown = described.filter(
    ({ name }) => !base.schema.fields.some((f) => f.name.toLowerCase() === name.toLowerCase()),
  );
  // Only new columns need a Delta type of their own; the others are cast to the table's.
  const incoming = inferSchema(unknown);
  const grown = mergeColumns(base.schema, incoming, evolve);
  const given = {
    ...grown,
    fields: grown.fields.filter((f) =>
      described.some(({ name }) => name.toLowerCase() === f.name.toLowerCase()),
    ),
  };
  if (grown === base.schema) return { metadata: base.metadata, schema: base.schema, given };
  const metadata = addColumns(base.metadata, base.schema, grown);
  return { ...metadata, given };
}

/** The source in the table's columns: those that it does not have are NULL. */
export function alignedSql(sql: string, schema: StructType, given: StructType): string {
  const has = new Set(given.fields.map((f) => f.name));
  const columns = schema.fields.map((f) =>
    has.has(f.name) ? identifier(f.name) : `NULL::${duckdbType(f.type)} AS ${identifier(f.name)}`,
  );
  return `SELECT ${columns.join(", ")} FROM (${sql}\n)`;
}

function metricsOf(staged: Staged): Record<string, string> {
  return {
    numFiles: String(staged.files.length),
    numOutputRows: String(staged.rows),
    numOutputBytes: String(staged.bytes),
  };
}
