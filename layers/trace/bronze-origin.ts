/** Where rows of a bronze table came from: their place in the source's history, and the commit that brought them. */
import { z } from "zod";
import type { AddFile } from "../../lakehouse/delta/actions.ts";
import { readAhead } from "../../lakehouse/delta/log/read-ahead.ts";
import { readCommit } from "../../lakehouse/delta/log.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Row } from "../../lakehouse/duckdb/duckdb.ts";
import { SOURCE_APP } from "../bronze/position.ts";
import { formatLsn } from "../bronze/postgres/lsn.ts";
import { META, SOURCE_DOMAIN } from "../definition/bronze-columns.ts";
import type { BronzeOrigin, SourcePosition } from "./traced.ts";

/** Column of a scan with the path of a row's file. */
export const FILE_PATH = "_ingot_file_path";

/** So many commits are looked through for the files of the rows that are shown. */
const MOST_COMMITS = 1000;
const PARALLEL = 16;

/** The origins of rows, which have bronze's own columns and `FILE_PATH`. */
export async function originsOf(
  table: DeltaTable,
  snapshot: Snapshot,
  rows: readonly Row[],
): Promise<BronzeOrigin[]> {
  const paths = new Set(rows.map((row) => String(row[FILE_PATH])));
  const added = await findAdded(table, snapshot.version, paths);
  const time = (value: unknown) => (typeof value === "string" ? value : null);
  return rows.map((row) => {
    const file = String(row[FILE_PATH]);
    const found = added.get(file);
    return {
      operation: String(row[META.operation]),
      lsn: formatLsn(BigInt(String(row[META.lsn] ?? 0))),
      committedAt: time(row[META.committedAt]),
      ingestedAt: time(row[META.ingestedAt]),
      file,
      version: found?.version ?? null,
      isJoined: found?.add.dataChange === false,
    };
  });
}

/** The commits that added these files, the newest commits first. */
async function findAdded(
  { store }: DeltaTable,
  newest: number,
  paths: ReadonlySet<string>,
): Promise<ReadonlyMap<string, { readonly version: number; readonly add: AddFile }>> {
  const found = new Map<string, { version: number; add: AddFile }>();
  const count = Math.min(newest + 1, MOST_COMMITS);
  const versions = Array.from({ length: count }, (_, i) => newest - i);
  const read = async (version: number) => [version, await readCommit(store, version)] as const;
  for await (const [version, actions] of readAhead(versions, PARALLEL, read)) {
    // Before it the log is cleaned.
    if (actions === undefined) break;
    for (const action of actions) {
      // A file that got a deletion vector is added once more: the first of its commits brought it.
      if ("add" in action && paths.has(action.add.path))
        found.set(action.add.path, { version, add: action.add });
    }
    if (found.size === paths.size) break;
  }
  return found;
}

/** What of the record of a bronze table is told; other sources than Postgres have no LSN. */
const positionSchema = z.object({
  lsn: z.number().int(),
  at: z.string(),
  changes: z.enum(["query", "wal"]).default("query"),
});

/** How far the source had been taken at a version of a bronze table. */
export function positionOf({ domains, transactions }: Snapshot): SourcePosition | undefined {
  const domain = domains.get(SOURCE_DOMAIN);
  const position = domain && positionSchema.safeParse(JSON.parse(domain.configuration)).data;
  if (position === undefined) return undefined;
  const { changes, lsn, at } = position;
  // Captured changes move the number alone; the moment beside it is that of the last read.
  const taken = Math.max(lsn, transactions.get(SOURCE_APP)?.version ?? lsn);
  return { changes, lsn: formatLsn(taken), at: taken === lsn ? at : null };
}
