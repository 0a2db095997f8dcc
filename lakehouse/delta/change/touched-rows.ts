/** Reading which rows of which files an operation touched. */
import type { Session } from "../../duckdb/duckdb.ts";
import type { RowSet } from "../deletion-vector/row-set.ts";
import { collectRows } from "../deletion-vector/rows-file.ts";
import { FILE, ROW } from "./workspace.ts";

/** The touched rows of each file, by its index, from a relation with the columns `FILE` and `ROW`. */
export async function touchedRows(session: Session, relation: string): Promise<Map<number, RowSet>> {
  return collectRows(await session.numbers(`SELECT ${FILE}, ${ROW} FROM ${relation}`));
}
