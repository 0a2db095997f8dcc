/** The inputs of a model as views of its session, under the names that its SQL has for them. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { ModelRun } from "./run.ts";

/** Makes the views of the pinned versions. `where`, by reference: of an input no more than its rows that fulfil it. */
export async function viewInputs(
  { session, inputs, tables }: ModelRun,
  where: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  for (const [reference, snapshot] of inputs) {
    const [layer = "", name = ""] = reference.split(".");
    const table = tables.get(reference);
    if (table === undefined) continue;
    const rows = await scanSql(table.store, scannable(snapshot));
    const condition = where.get(reference);
    const sql = condition === undefined ? rows : `SELECT * FROM (${rows}) WHERE ${condition}`;
    await session.view(layer, name, sql);
  }
}
