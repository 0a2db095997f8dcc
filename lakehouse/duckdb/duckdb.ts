/** DuckDB as Ingot uses it. This folder alone imports the binding; others see SQL in and plain values out. */
import { rmSync } from "node:fs";
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue, StatementType } from "@duckdb/node-api";
import { messageOf, TerminalError } from "../errors.ts";
import { makeScratch } from "../scratch.ts";
import { maskSecrets } from "../secrets.ts";
import { type ColumnBatch, describeColumns, type StructColumnType, streamColumns } from "./columns.ts";
import { type NumberBatch, streamNumbers } from "./number-columns.ts";
import { identifier, literal } from "./quote.ts";
import { toPlain } from "./values.ts";

export interface DuckDbSettings {
  /** Upper bound of DuckDB's own memory, in megabytes; beyond it DuckDB spills to `spillFolder`. */
  readonly memoryMb: number;
  readonly threads: number;
  /** Keep the order of rows where a query asks for none; costs memory, pleases people. */
  readonly keepOrder?: boolean;
  /** Where a folder for what does not fit into memory is made; the system's folder for temporary files by default. */
  readonly spillFolder?: string | undefined;
}

/** A value that can be bound to a parameter. */
export type Parameter = string | number | bigint | boolean | null;

export interface ResultColumn {
  readonly name: string;
  /** DuckDB's name of the type. */
  readonly type: string;
}

export type Row = Readonly<Record<string, unknown>>;

/** One in-memory DuckDB; tables live in Delta, this only computes. */
export class DuckDb {
  private readonly instance: Promise<DuckDBInstance>;
  private readonly spillFolder: string;
  private opened: DuckDBInstance | undefined;
  private sequence = 0;

  private constructor(instance: Promise<DuckDBInstance>, spillFolder: string) {
    this.spillFolder = spillFolder;
    this.instance = instance.then((opened) => {
      this.opened = opened;
      return opened;
    });
    this.instance.catch(() => {});
  }

  /** Begins to open it, beside what its user does first; that it cannot be opened is told to who asks it something. */
  static async open(settings: DuckDbSettings): Promise<DuckDb> {
    // What is spilled is data: nobody else may read it.
    const spillFolder = await makeScratch(settings.spillFolder);
    return new DuckDb(createInstance(settings, spillFolder), spillFolder);
  }

  /** A connection with an empty catalog of its own, so that work side by side can use the same table names. */
  async session(): Promise<Session> {
    const connection = await (await this.instance).connect();
    const catalog = `session_${++this.sequence}`;
    await connection.run(`ATTACH ':memory:' AS ${catalog}; USE ${catalog}`);
    return new Session(connection, catalog);
  }

  /** Runs one statement on a connection of its own. */
  async rows(sql: string, parameters?: readonly Parameter[]): Promise<Row[]> {
    const connection = await (await this.instance).connect();
    try {
      return await read(connection, sql, parameters);
    } finally {
      connection.disconnectSync();
    }
  }

  /** The columns that a query would give, their types to the leaves of structs, without running it. */
  async columnTypes(sql: string): Promise<StructColumnType> {
    const connection = await (await this.instance).connect();
    try {
      return await guarded(sql, () => describeColumns(connection, sql));
    } finally {
      connection.disconnectSync();
    }
  }

  /** Rows of a query of VARCHAR, DOUBLE and BOOLEAN columns as they are computed, one array a column. */
  async *columns(sql: string): AsyncGenerator<ColumnBatch, void, undefined> {
    const connection = await (await this.instance).connect();
    try {
      const batches = streamColumns(connection, sql);
      for (;;) {
        const next = await guarded(sql, () => batches.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      connection.disconnectSync();
    }
  }

  close(): void {
    if (this.opened) this.opened.closeSync();
    else this.instance.then((opened) => opened.closeSync()).catch(() => {});
    rmSync(this.spillFolder, { recursive: true, force: true });
  }
}

async function createInstance(
  { threads, memoryMb, keepOrder }: DuckDbSettings,
  spillFolder: string,
): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(":memory:", {
    threads: String(threads),
    memory_limit: `${memoryMb}MB`,
    temp_directory: spillFolder,
    preserve_insertion_order: String(keepOrder === true),
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const setup = await instance.connect();
  await setup.run("SET GLOBAL TimeZone = 'UTC'");
  setup.disconnectSync();
  return instance;
}

/** Table functions that a SELECT may name although they write files or change the instance. */
const SIDE_EFFECTS =
  /\b(enable_logging|disable_logging|truncate_duckdb_logs|checkpoint|force_checkpoint)"?\s*\(/i;

/** A connection; its statements run one after the other. Close it, or its catalog stays in memory. */
export class Session {
  private readonly connection: DuckDBConnection;
  private readonly catalog: string;

  constructor(connection: DuckDBConnection, catalog: string) {
    this.connection = connection;
    this.catalog = catalog;
  }

  /** Runs statements for their effect. */
  async run(sql: string): Promise<void> {
    await guarded(sql, () => this.connection.run(sql));
  }

  /** All rows of one statement, as objects. */
  rows(sql: string, parameters?: readonly Parameter[]): Promise<Row[]> {
    return read(this.connection, sql, parameters);
  }

  /** Rows as they are computed, in chunks of about 2,048; memory does not grow with the result. */
  async stream(
    sql: string,
  ): Promise<{ columns: ResultColumn[]; chunks: AsyncIterable<readonly (readonly unknown[])[]> }> {
    const result = await guarded(sql, () => this.connection.stream(sql));
    const types = result.columnTypes();
    const columns = result.columnNames().map((name, i) => ({ name, type: String(types[i]) }));
    async function* chunks() {
      for await (const rows of result.yieldRows()) {
        yield rows.map((row: readonly DuckDBValue[]) => row.map(toPlain));
      }
    }
    return { columns, chunks: chunks() };
  }

  /** Columns of numbers, batch by batch: many times as fast as rows. NULL becomes NaN. */
  numbers(sql: string): Promise<AsyncIterable<NumberBatch>> {
    return guarded(sql, () => streamNumbers(this.connection, sql));
  }

  /** Makes a view under `schema.name` in this session's catalog, replacing one of that name. */
  async view(schema: string, name: string, sql: string): Promise<void> {
    await this.run(
      `CREATE SCHEMA IF NOT EXISTS ${identifier(schema)}; CREATE OR REPLACE VIEW ${identifier(schema)}.${identifier(name)} AS ${sql}`,
    );
  }

  /** A table of this session, as other sessions call it. */
  nameOf(table: string): string {
    return `${this.catalog}.main.${identifier(table)}`;
  }

  /** The columns that a query would give, without running it. */
  async describe(sql: string): Promise<ResultColumn[]> {
    const rows = await this.rows(`DESCRIBE ${sql}`);
    return rows.map((row) => ({ name: String(row.column_name), type: String(row.column_type) }));
  }

  /** Whether this is one statement that only reads. Text that does not even parse throws. */
  async onlyReads(sql: string): Promise<boolean> {
    const statements = await guarded(sql, () => this.connection.extractStatements(sql));
    if (statements.count !== 1 || SIDE_EFFECTS.test(sql)) return false;
    const prepared = await guarded(sql, () => statements.prepare(0));
    const type = prepared.statementType;
    prepared.destroySync();
    if (type !== StatementType.EXPLAIN)
      return type === StatementType.SELECT || type === StatementType.RELATION;
    // EXPLAIN ANALYZE runs what it explains.
    const explained = sql.replace(/^\s*EXPLAIN(\s+ANALYZE)?(\s*\([^)]*\))?/i, "");
    return explained !== sql && this.onlyReads(explained);
  }

  /** Stops the running statement, which then rejects. */
  interrupt(): void {
    this.connection.interrupt();
  }

  async close(): Promise<void> {
    try {
      await this.connection.run(`USE memory; DETACH ${this.catalog}`);
    } catch {
      // After a failed statement the catalog may be held by its transaction; it goes with the connection's end.
    } finally {
      this.connection.disconnectSync();
    }
  }
}

async function read(connection: DuckDBConnection, sql: string, parameters?: readonly Parameter[]) {
  const reader = await guarded(sql, () =>
    connection.runAndReadAll(sql, parameters === undefined ? undefined : [...parameters]),
  );
  const names = reader.columnNames();
  return reader
    .getRows()
    .map((row) => Object.fromEntries(names.map((name, i) => [name, toPlain(row[i] ?? null)])));
}

async function guarded<T>(sql: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // A statement may name addresses with keys in them.
    throw new TerminalError(maskSecrets(messageOf(error)), {
      code: messageOf(error).startsWith("Out of Memory") ? "DUCKDB_OUT_OF_MEMORY" : "DUCKDB_SQL",
      value: maskSecrets(sql.length > 2000 ? `${sql.slice(0, 2000)}…` : sql),
      cause: error,
    });
  }
}

/** `read_parquet` over exactly these files. */
export function readParquet(addresses: readonly string[], options = ""): string {
  return `read_parquet([${addresses.map(literal).join(", ")}], hive_partitioning = false${options})`;
}
