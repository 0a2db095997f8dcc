/** Opening and creating tables by their address: the kernel's door for programs that use nothing else of Ingot. */
import type { Columns, RowOf, TableContract } from "../../schemas/table.ts";
import { type CreateOptions, createTable as createEmpty } from "../delta/create.ts";
import type { StructType } from "../delta/schema.ts";
import { DeltaTable, type TableOptions } from "../delta/table.ts";
import { DuckDb, type DuckDbSettings } from "../duckdb/duckdb.ts";
import { TerminalError } from "../errors.ts";
import { openStore } from "../lake.ts";
import type { ObjectStore } from "../store/store.ts";
import { contractSchema } from "./contract-schema.ts";
import { type PlainRow, Table } from "./table.ts";

export interface OpenOptions extends TableOptions {
  /** The engine to use, which stays open; by default the table has one of its own, closed with the table. */
  readonly duckdb?: DuckDb;
  /** Memory and threads of the table's own engine. */
  readonly engine?: Partial<DuckDbSettings>;
}

export interface CreateTableOptions extends OpenOptions, Omit<CreateOptions, "schema"> {
  /** Columns; a contract says them too. */
  readonly schema?: StructType;
}

/** What a program may call a table: a folder, an address such as `s3://bucket/table`, or a store. */
export type Address = string | ObjectStore;

/**
 * Opens a table. Rows are plain objects (see `PlainRow`), or those of a contract.
 *
 * @throws TerminalError DELTA_NO_TABLE where there is none.
 */
export async function openTable(address: Address, options?: OpenOptions): Promise<Table>;
export async function openTable<C extends Columns>(
  address: Address,
  options: OpenOptions & { readonly contract: TableContract<C> },
): Promise<Table<RowOf<C>>>;
export async function openTable(
  address: Address,
  options: OpenOptions & { readonly contract?: TableContract } = {},
): Promise<Table> {
  return opened(address, options, async (table) => {
    await table.existingSnapshot();
  });
}

/**
 * Creates an empty table, with the columns of a contract or of `schema`.
 *
 * @throws TerminalError DELTA_TABLE_EXISTS where there is one, unless `ifNotExists`.
 */
export async function createTable(
  address: Address,
  options: CreateTableOptions & { readonly schema: StructType },
): Promise<Table>;
export async function createTable<C extends Columns>(
  address: Address,
  options: CreateTableOptions & { readonly contract: TableContract<C> },
): Promise<Table<RowOf<C>>>;
export async function createTable(
  address: Address,
  options: CreateTableOptions & { readonly contract?: TableContract },
): Promise<Table> {
  const { contract } = options;
  const schema = options.schema ?? (contract && contractSchema(contract));
  if (schema === undefined) {
    throw new TerminalError("a table needs columns", {
      code: "DELTA_BAD_SCHEMA",
      allowed: "a contract, or a schema",
    });
  }
  const described = contract === undefined ? {} : { name: contract.name, description: contract.description };
  return opened(address, options, async (table) => {
    await createEmpty(table, { ...described, ...options, schema });
  });
}

async function opened(
  address: Address,
  options: OpenOptions & { readonly contract?: TableContract },
  prepare: (table: DeltaTable) => Promise<void>,
): Promise<Table<PlainRow>> {
  const { duckdb, engine, contract, ...tableOptions } = options;
  const store = typeof address === "string" ? openStore(address) : address;
  const own = duckdb === undefined ? await DuckDb.open({ memoryMb: 1024, threads: 2, ...engine }) : undefined;
  const table = new DeltaTable(store, duckdb ?? own ?? unreachable(), tableOptions);
  try {
    await prepare(table);
  } catch (error) {
    own?.close();
    throw error;
  }
  return new Table(table, contract, () => own?.close());
}

function unreachable(): never {
  throw new RangeError("an engine was neither given nor made");
}
