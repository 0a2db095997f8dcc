/** The Parquet files of a folder that is to become a table, and what Hive's folder names (`k=v`) say of them. */
import { TerminalError } from "../../../errors.ts";
import type { ObjectStore, StoredObject } from "../../../store/store.ts";

export interface ParquetFile extends StoredObject {
  /** Values by the columns of the folder names, in their order, unescaped; null for Hive's null. */
  readonly partition: ReadonlyMap<string, string | null>;
}

export interface ParquetFolder {
  readonly files: readonly ParquetFile[];
  /** Columns of the folder names, in their order. */
  readonly partitionColumns: readonly string[];
  /** Files that are no Parquet; they will not be part of the table. */
  readonly others: readonly string[];
}

const NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__";
const PARQUET = /\.(parquet|parq|pq)$/i;
/** Names beginning so are hidden to readers of Parquet folders, unless they name a partition. */
const HIDDEN = /^[._](?!.*=)/;

/** Lists a folder. Rejects where there is no Parquet file, or where files are partitioned in different ways. */
export async function listParquet(store: ObjectStore): Promise<ParquetFolder> {
  const visible = (await store.list("")).filter(
    ({ path }) => !path.split("/").some((name) => HIDDEN.test(name)),
  );
  const files = visible
    .filter(({ path }) => PARQUET.test(path))
    .map((object) => ({ ...object, partition: partitionOf(object.path) }));
  const [first] = files;
  if (first === undefined) {
    throw new TerminalError(`there are no Parquet files in ${store.root}`, {
      code: "DELTA_NOTHING_TO_CONVERT",
      value: store.root,
      allowed: "a folder with files named *.parquet, whose names do not begin with . or _",
      next: "Check the path.",
    });
  }
  const partitionColumns = [...first.partition.keys()];
  const odd = files.find(({ partition }) => [...partition.keys()].join("\n") !== partitionColumns.join("\n"));
  if (odd !== undefined) {
    throw new TerminalError(`files of ${store.root} are partitioned in different ways`, {
      code: "DELTA_BAD_PARTITION",
      value: odd.path,
      allowed: `folders as of ${first.path}`,
      next: "Move the files so that all have the same folder names k=v, in the same order.",
    });
  }
  return {
    files,
    partitionColumns,
    others: visible.map(({ path }) => path).filter((path) => !PARQUET.test(path)),
  };
}

function partitionOf(path: string): Map<string, string | null> {
  const partition = new Map<string, string | null>();
  for (const name of path.split("/").slice(0, -1)) {
    const at = name.indexOf("=");
    if (at <= 0) continue;
    const value = name.slice(at + 1);
    partition.set(
      unescapeHive(name.slice(0, at)),
      value === NULL_FOLDER || value === "" ? null : unescapeHive(value),
    );
  }
  return partition;
}

/** Hive escapes single bytes as %XX; anything else that begins with % stands for itself. */
function unescapeHive(text: string): string {
  try {
    return decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, "%25"));
  } catch {
    return text;
  }
}
