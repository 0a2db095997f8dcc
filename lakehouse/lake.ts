/** A lake: a root under which every table has its place, and the engine that reads and writes them. */

import { s3FromEnvironment } from "./config/settings.ts";
import { LOG_FOLDER } from "./delta/log.ts";
import { DeltaTable, type TableOptions } from "./delta/table.ts";
import type { DuckDb } from "./duckdb/duckdb.ts";
import { openHttpfs } from "./duckdb/httpfs.ts";
import { TerminalError } from "./errors.ts";
import { lakeId } from "./lake-id.ts";
import { LocalStore } from "./store/local.ts";
import { type S3Options, S3Store } from "./store/s3.ts";
import { currentCredentials } from "./store/s3-client.ts";
import type { ObjectStore } from "./store/store.ts";

/** `pipeline/layer/table`: the address of a table inside a lake. */
export type TablePath = `${string}/${string}/${string}`;

export interface LakeOptions extends TableOptions {
  /** Opens the store of another lake by its address; by default as `openStore` does. */
  readonly open?: (address: string) => ObjectStore | Promise<ObjectStore>;
}

export class Lake {
  readonly store: ObjectStore;
  readonly duckdb: DuckDb;
  private readonly options: LakeOptions;
  private readonly opened = new Map<string, DeltaTable>();
  private readonly others = new Map<string, Lake>();
  private known: string | undefined;

  constructor(store: ObjectStore, duckdb: DuckDb, options: LakeOptions = {}) {
    this.store = store;
    this.duckdb = duckdb;
    this.options = options;
  }

  /** What tells this lake from others; made when it is first asked for. */
  async id(): Promise<string> {
    this.known ??= await lakeId(this.store);
    return this.known;
  }

  /** The lake at another address, with the engine and the options of this one. */
  async other(address: string): Promise<Lake> {
    const { open = openStore } = this.options;
    const lake = this.others.get(address) ?? new Lake(await open(address), this.duckdb, this.options);
    this.others.set(address, lake);
    return lake;
  }

  /** The table at this address, whether it exists already or not. */
  table(path: TablePath): DeltaTable {
    const table = this.opened.get(path) ?? new DeltaTable(this.store.within(path), this.duckdb, this.options);
    this.opened.set(path, table);
    return table;
  }

  /** Addresses of all tables, or of one pipeline's, in order. */
  async tables(pipeline?: string): Promise<TablePath[]> {
    const found = new Set<TablePath>();
    for (const { path } of await this.store.list(pipeline === undefined ? "" : `${pipeline}/`)) {
      const [owner, layer, name, folder] = path.split("/");
      if (owner && layer && name && `${folder}/` === LOG_FOLDER) found.add(`${owner}/${layer}/${name}`);
    }
    return [...found];
  }
}

/** Whether this names a place by scheme, as `s3://bucket/prefix` does, and not a folder. */
export const isAddress = (place: string): boolean => /^[a-z0-9+.-]+:\/\//i.test(place);

/**
 * As `openStore`, for a DuckDB that may read it: where `s3.httpfs` names the extension, DuckDB opens the files of an
 * `s3://` address itself.
 */
export async function openStoreFor(
  duckdb: DuckDb,
  address: string,
  s3: S3Options & { readonly httpfs?: string | undefined },
): Promise<ObjectStore> {
  const { httpfs, ...options } = s3;
  if (httpfs === undefined || !address.startsWith("s3://")) return openStore(address, options);
  const credentials = await currentCredentials(options, options.credentials);
  await openHttpfs(duckdb, address, { ...options, extension: httpfs, credentials });
  return openStore(address, { ...options, direct: true });
}

/**
 * The store for a lake's address: a folder, or `s3://bucket/prefix`. Where S3 is comes from `s3`, else from the
 * variables of the environment that set it. Opens no connection. Throws `LAKE_UNSUPPORTED`, `LAKE_INVALID`,
 * `CONFIG_INVALID`.
 */
export function openStore(address: string, s3?: S3Options): ObjectStore {
  if (!isAddress(address)) return new LocalStore(address);
  if (address.startsWith("s3://")) return new S3Store(address, s3 ?? s3FromEnvironment(process.env));
  throw new TerminalError("this lake's kind of storage is not supported", {
    code: "LAKE_UNSUPPORTED",
    value: address,
    allowed: "a folder, for example ./lake, or s3://bucket/prefix",
    next: "Set `lake` in ingot.config.ts, or INGOT_LAKE, to a folder or to s3://bucket/prefix.",
  });
}
