/** Reading the change data feed: which rows came and went from version to version (PROTOCOL.md, "Reader Requirements for Change Data Feed"). */
import { identifiers } from "../../duckdb/quote.ts";
import { TerminalError } from "../../errors.ts";
import { type Action, type AddFile, type CommitInfo, canonicalPath, type RemoveFile } from "../actions.ts";
import { readAhead } from "../log/read-ahead.ts";
import { readCommit } from "../log.ts";
import { type Scannable, scannable, scanSql } from "../scan.ts";
import { field } from "../schema.ts";
import type { Snapshot } from "../snapshot.ts";
import type { DeltaTable } from "../table.ts";
import { CHANGE_TYPE } from "./change-data.ts";
import { FILE, ROW } from "./workspace.ts";

/** Columns that the feed adds to those of the table. */
const COMMIT_VERSION = "_commit_version";
export const COMMIT_TIMESTAMP = "_commit_timestamp";

type Kind = "insert" | "delete";

/** Files by what their rows tell, each with the commit that says so. */
interface Sources {
  readonly changes: Located[];
  readonly whole: Record<Kind, Located[]>;
  /** Files whose deletion vector changed: as they were, as they are. */
  readonly vectors: { readonly before: Located; readonly after: Located }[];
}

interface Located {
  readonly file: AddFile;
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
}

/** Commits that are fetched at the same time. */
const PARALLEL = 16;

/**
 * SQL that gives the changes of the versions `from` to `to`, both included, in the columns of `to`, with what
 * happened (`insert`, `delete`, `update_preimage`, `update_postimage`), version and time of the commit. Where a table
 * keeps no feed, the rows of a rewritten file appear as deleted and inserted.
 */
export async function changeFeedSql(table: DeltaTable, from: number, to: number): Promise<string> {
  if (from > to) throw new RangeError(`version ${to} lies before ${from}`);
  const end = await table.existingSnapshot(to);
  const found = noSources();
  for await (const [version, actions] of commitsBetween(table, from, to)) {
    if (actions === undefined) throw noLonger(table.store.root, version);
    collect(actions, version, found);
  }
  return feedSql(table, end, found);
}

/** What leads from one version of a table to a later one. */
export interface TableChange {
  /** As that of `changeFeedSql`. */
  readonly sql: string;
  /** Files to be read; without any nothing changed. */
  readonly files: number;
  readonly bytes: number;
}

/**
 * The change after version `from` up to `end`. Undefined where the log does not tell it: commits are gone, or the
 * columns or properties of the table changed.
 */
export async function changeSince(
  table: DeltaTable,
  from: number,
  end: Snapshot,
): Promise<TableChange | undefined> {
  const found = noSources();
  for await (const [version, actions] of commitsBetween(table, from + 1, end.version)) {
    if (actions === undefined || actions.some((a) => "metaData" in a)) return undefined;
    collect(actions, version, found);
  }
  const { changes, whole, vectors } = found;
  const read = [...changes, ...whole.insert, ...whole.delete, ...vectors.map(({ after }) => after)];
  return {
    sql: await feedSql(table, end, found),
    files: read.length,
    bytes: read.reduce((sum, { file }) => sum + file.size, 0),
  };
}

const noSources = (): Sources => ({ changes: [], whole: { insert: [], delete: [] }, vectors: [] });

async function* commitsBetween(
  { store }: DeltaTable,
  from: number,
  to: number,
): AsyncGenerator<readonly [version: number, actions: readonly Action[] | undefined]> {
  const versions = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const read = async (version: number) => [version, await readCommit(store, version)] as const;
  yield* readAhead(versions, PARALLEL, read);
}

async function feedSql(table: DeltaTable, end: Snapshot, found: Sources): Promise<string> {
  const target = scannable(end);
  const typed = { ...target.schema, fields: [...target.schema.fields, field(CHANGE_TYPE, "string")] };
  const columns = identifiers(target.schema.fields.map((f) => f.name));
  const parts = [
    await located(table, { ...target, schema: typed }, found.changes, columns, CHANGE_TYPE),
    await located(table, target, found.whole.insert, columns, "'insert'"),
    await located(table, target, found.whole.delete, columns, "'delete'"),
    await difference(table, target, found.vectors, "delete", columns),
    await difference(table, target, found.vectors, "insert", columns),
  ];
  return parts.join(" UNION ALL ");
}

function collect(actions: readonly Action[], version: number, found: Sources): void {
  const [info] = actions.flatMap((a): CommitInfo[] => ("commitInfo" in a ? [a.commitInfo] : []));
  const timestamp = info?.inCommitTimestamp ?? info?.timestamp ?? 0;
  const at = (file: AddFile): Located => ({ file, version, timestamp });
  const cdc = actions.flatMap((a) => ("cdc" in a ? a.cdc : []));
  if (cdc.length > 0) {
    found.changes.push(...cdc.map((file) => at({ ...file, modificationTime: 0 })));
    return;
  }
  const removed = new Map<string, RemoveFile>();
  for (const a of actions)
    if ("remove" in a && a.remove.dataChange) removed.set(canonicalPath(a.remove.path), a.remove);
  for (const a of actions) {
    if (!("add" in a) || !a.add.dataChange) continue;
    const former = removed.get(canonicalPath(a.add.path));
    if (former === undefined) found.whole.insert.push(at(a.add));
    else found.vectors.push({ before: at(asAdd(former, a.add)), after: at(a.add) });
    removed.delete(canonicalPath(a.add.path));
  }
  found.whole.delete.push(...[...removed.values()].map((remove) => at(asAdd(remove))));
}

/** A removed file, to be read. Its partition values may stand only in the `add` that takes its place. */
function asAdd(remove: RemoveFile, successor?: AddFile): AddFile {
  const { deletionVector, path, size = successor?.size ?? 0 } = remove;
  const partitionValues = remove.partitionValues ?? successor?.partitionValues ?? {};
  const file = { path, partitionValues, size, modificationTime: 0, dataChange: true };
  return deletionVector === undefined ? file : { ...file, deletionVector };
}

/** The rows of files with what happened to them and when. */
async function located(
  table: DeltaTable,
  target: Scannable,
  sources: readonly Located[],
  columns: string,
  type: string,
): Promise<string> {
  const scan = await scanSql(
    table.store,
    { ...target, files: sources.map(({ file }) => file) },
    { fileIndex: FILE },
  );
  return `SELECT ${columns}, ${type} AS ${CHANGE_TYPE}, ${COMMIT_VERSION}, ${COMMIT_TIMESTAMP} FROM (${scan}) JOIN (${commitsSql(sources)}) USING (${FILE})`;
}

/** Rows that one state of files has and the other has not. */
async function difference(
  table: DeltaTable,
  target: Scannable,
  vectors: Sources["vectors"],
  kind: Kind,
  columns: string,
): Promise<string> {
  const [has, lacks] = kind === "delete" ? (["before", "after"] as const) : (["after", "before"] as const);
  const scanOf = (state: "before" | "after") =>
    scanSql(
      table.store,
      { ...target, files: vectors.map((v) => v[state].file) },
      { fileIndex: FILE, rowIndex: ROW },
    );
  const commits = commitsSql(vectors.map(({ after }) => after));
  return `SELECT ${columns}, '${kind}' AS ${CHANGE_TYPE}, ${COMMIT_VERSION}, ${COMMIT_TIMESTAMP}
    FROM (SELECT * FROM (${await scanOf(has)}) ANTI JOIN (SELECT ${FILE}, ${ROW} FROM (${await scanOf(lacks)})) USING (${FILE}, ${ROW})) JOIN (${commits}) USING (${FILE})`;
}

/** One row for each file: its index, the version and the time of the commit. */
function commitsSql(sources: readonly Located[]): string {
  if (sources.length === 0)
    return `SELECT 0 AS ${FILE}, 0::BIGINT AS ${COMMIT_VERSION}, NULL::TIMESTAMPTZ AS ${COMMIT_TIMESTAMP} WHERE false`;
  const rows = sources.map(
    ({ version, timestamp }, i) => `(${i}, ${version}::BIGINT, make_timestamptz(${timestamp}000::BIGINT))`,
  );
  return `SELECT * FROM (VALUES ${rows.join(", ")}) AS _commits(${FILE}, ${COMMIT_VERSION}, ${COMMIT_TIMESTAMP})`;
}

function noLonger(root: string, version: number): TerminalError {
  return new TerminalError(`the changes of version ${version} of ${root} are not in its log`, {
    code: "DELTA_NO_SUCH_VERSION",
    value: version,
    next: "The log may have been cleaned; begin at a later version (see the table's history).",
  });
}
