/** SQL over the tables of a lake, for reading only: nothing is written, and no file outside of the lake is opened. */
import { countRows } from "../../lakehouse/delta/stats.ts";
import type { ResultColumn } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { lakeId } from "../../lakehouse/lake-id.ts";
import type { Runtime } from "../runtime.ts";
import { asWritten, type ListedTable } from "../terminal/complete.ts";
import type { QueryResult } from "../terminal/result.ts";
import { noRows, pinTables, shownRows } from "./pinned-tables.ts";
import { KEY_PLACE, openSandbox, type Sandbox, type View } from "./sandbox.ts";
import { parseRead, readOnly } from "./statement.ts";
import { stoppable, stopped } from "./stoppable.ts";
import { type ReadTable, resolveTables } from "./time-travel.ts";

/** Rows that a screen or a prompt is given at most. */
const MOST_ROWS = 10_000;
/** Characters and bytes of those, about. */
const MOST_TEXT = 64_000_000;

/** Rows in chunks as they are computed. */
export interface ResultStream {
  readonly columns: readonly ResultColumn[];
  readonly chunks: AsyncIterable<readonly (readonly unknown[])[]>;
}

/** Statements run one after the other. A signal that is aborted stops the one that it was given for. */
export interface Explorer {
  /** Runs one reading statement; at most 10,000 rows come back. */
  execute(sql: string, signal?: AbortSignal): Promise<QueryResult>;
  /** As `execute`, without bound. */
  stream(sql: string, signal?: AbortSignal): Promise<ResultStream>;
  /** Writes the rows as Parquet to an absolute path that does not exist; answers how many. */
  writeParquet(sql: string, file: string, signal?: AbortSignal): Promise<number>;
  listTables(): Promise<ListedTable[]>;
  close(): Promise<void>;
}

export interface ExploreOptions {
  /** Whether values that contracts call sensitive are shown as they are. */
  readonly sensitive?: boolean;
}

/**
 * Opens the newest version of every table as `pipeline.layer.table`, and as `layer.table` for the first pipeline
 * of the configuration. Versions are pinned: a prompt sees one state until it is opened again. `AT (VERSION => …)` and
 * `AT (TIMESTAMP => …)` behind a table give an older one.
 */
export async function openExplorer(runtime: Runtime, options: ExploreOptions = {}): Promise<Explorer> {
  const { lake, config } = runtime;
  const pinned = await pinTables(lake, options.sensitive ? [] : config.pipelines);
  const key = await lakeId(lake.store);
  const home = config.pipelines.find((p) => pinned.some((t) => t.pipeline === p.name))?.name;
  const standIns = new Map<string, View>();
  for (const table of pinned) {
    const { pipeline: catalog, layer: schema, name } = table;
    const sql = await noRows(table, KEY_PLACE);
    standIns.set(`${catalog}/${table.path}`, { catalog, schema, name, sql, addresses: [] });
  }
  const open = (views: ReadonlyMap<string, View>, writable?: string) =>
    openSandbox(runtime, { views: [...new Map([...standIns, ...views]).values()], home, key, writable });
  const empty = await open(new Map());
  let attached: ReadonlyMap<string, View> = new Map();
  let current: Sandbox = empty;

  /** A sandbox with these tables: the one that is open, where it has them. */
  async function sandboxFor(tables: readonly ReadTable[]): Promise<Sandbox> {
    if (tables.every((table) => attached.has(keyOf(table)))) return current;
    const views = await viewsOf(tables, attached);
    const next = await open(views);
    if (current !== empty) current.close();
    attached = views;
    current = next;
    return next;
  }

  async function resolve(sql: string, signal: AbortSignal | undefined) {
    const read = await parseRead(lake.duckdb, sql);
    const resolved = await resolveTables(lake.duckdb, empty.session, read, pinned, home);
    if (signal?.aborted) throw stopped(signal);
    return { ...resolved, prefix: read.prefix };
  }

  async function stream(sql: string, signal?: AbortSignal): Promise<ResultStream> {
    const resolved = await resolve(sql, signal);
    const { session } = await sandboxFor(resolved.tables);
    const text = resolved.prefix + resolved.sql;
    // The engine's own word that nothing is written, beside that of the syntax tree.
    if (!(await session.onlyReads(text))) throw readOnly(text);
    const { columns, chunks } = await stoppable(session, signal, () => session.stream(text));
    async function* stoppableChunks() {
      const iterator = chunks[Symbol.asyncIterator]();
      for (;;) {
        const next = await stoppable(session, signal, () => iterator.next());
        if (next.done === true) return;
        yield next.value;
      }
    }
    return { columns, chunks: stoppableChunks() };
  }

  return {
    stream,
    execute: async (sql, signal) => {
      const { columns, chunks } = await stream(sql, signal);
      return firstRows(columns, chunks);
    },
    writeParquet: async (sql, file, signal) => {
      const resolved = await resolve(sql, signal);
      if (resolved.prefix !== "") throw planOutput();
      const { session, close } = await open(await viewsOf(resolved.tables, attached), file);
      try {
        const copy = `COPY (FROM (${resolved.sql}\n)) TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`;
        const rows = await stoppable(session, signal, () => session.rows(copy));
        return Number(rows[0]?.Count ?? 0);
      } finally {
        close();
      }
    },
    listTables: () =>
      Promise.all(
        pinned.map(async ({ pipeline, layer, name, snapshot }) => ({
          name: `${pipeline === home ? "" : `${asWritten(pipeline)}.`}${asWritten(layer)}.${asWritten(name)}`,
          rows: countRows([...snapshot.files.values()]),
          columns: await empty.session.describe(
            `SELECT * FROM ${[pipeline, layer, name].map((part) => identifier(part)).join(".")}`,
          ),
        })),
      ),
    close: async () => {
      if (current !== empty) current.close();
      empty.close();
    },
  };
}

const keyOf = ({ catalog, pinned }: ReadTable) => `${catalog}/${pinned.path}`;

/** Views of these tables, and those that are there already. */
async function viewsOf(
  tables: readonly ReadTable[],
  attached: ReadonlyMap<string, View>,
): Promise<ReadonlyMap<string, View>> {
  const views = new Map(attached);
  for (const table of tables) {
    if (views.has(keyOf(table))) continue;
    const { layer: schema, name } = table.pinned;
    const plan = await shownRows(table.pinned, table.snapshot, KEY_PLACE);
    views.set(keyOf(table), { catalog: table.catalog, schema, name, ...plan });
  }
  return views;
}

async function firstRows(
  columns: readonly ResultColumn[],
  chunks: AsyncIterable<readonly (readonly unknown[])[]>,
): Promise<QueryResult> {
  const rows: (readonly unknown[])[] = [];
  let text = 0;
  for await (const chunk of chunks) {
    for (const row of chunk) {
      if (rows.length === MOST_ROWS || (text > MOST_TEXT && rows.length > 0))
        return { columns, rows, truncated: true };
      rows.push(row);
      text += row.reduce<number>((sum, value) => sum + sizeOf(value), 0);
    }
  }
  return { columns, rows };
}

/** About how many characters or bytes a value takes. */
function sizeOf(value: unknown): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length;
  if (typeof value !== "object" || value === null) return 8;
  return Object.values(value).reduce<number>((sum, part) => sum + sizeOf(part), 8);
}

function planOutput(): TerminalError {
  return new TerminalError("a plan is text, and no rows of a table", {
    code: "SQL_NO_ROWS",
    value: "EXPLAIN",
    next: "Leave EXPLAIN out, or print the plan.",
  });
}
