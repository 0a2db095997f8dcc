/** What changed of the inputs of a model, as relations of its session. */
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { identifier, identifiers } from "../../../lakehouse/duckdb/quote.ts";
import { IngotError } from "../../../lakehouse/errors.ts";
import { IS_NEW, readChange } from "../read-change.ts";
import type { ModelRun } from "../run.ts";
import { leavesOf } from "./join-tree.ts";
import { ROWS, type State } from "./touched-tree.ts";

export interface ChangedInputs {
  /** Rows that came and went, of all inputs. */
  readonly rows: number;
  /** Inputs of which rows went (`old`) or came (`new`), by reference. */
  readonly sides: ReadonlyMap<string, Readonly<Record<State, boolean>>>;
  /** SQL of the rows of an input that came or went. */
  readonly imagesSql: (reference: string) => string;
}

/**
 * Reads what came and went since the model last ran, and makes the relations of `ROWS`. Undefined where that is not
 * known, or better not asked; `because` is told the reason.
 */
export async function readChanges(
  run: ModelRun,
  because: (reason: string) => void,
): Promise<ChangedInputs | undefined> {
  const { session, inputs, tables, consumed } = run;
  if (consumed === undefined) return undefined;
  await session.run([...Object.values(ROWS), ALL].map((name) => `CREATE SCHEMA ${name}`).join("; "));
  const sides = new Map<string, Record<State, boolean>>();
  let rows = 0;
  for (const [reference, input] of inputs) {
    const [table, version] = [tables.get(reference), consumed.get(reference)];
    if (table === undefined || version === undefined) return undefined;
    if (version === input.version) continue;
    const relation = `${ALL}.${identifier(reference)}`;
    const change = await readChange(session, table, version, input, relation, (reason) =>
      because(`${reference} ${reason}`),
    );
    if (change === undefined) return undefined;
    if (change.rows === 0) continue;
    rows += change.rows;
    sides.set(reference, { old: change.gone > 0, new: change.came > 0 });
    const columns = identifiers(input.schema.fields.map((f) => f.name));
    for (const [schema, where] of [
      [ROWS.gone, `NOT ${IS_NEW}`],
      [ROWS.came, IS_NEW],
      [ROWS.changed, "true"],
    ] as const) {
      await session.view(schema, reference, `SELECT ${columns} FROM ${relation} WHERE ${where}`);
    }
  }
  // A table that is read once is not joined with what others had.
  const leaves = run.model.groups === undefined ? 1 : leavesOf(run.model.groups.tree).length;
  if (Math.max(inputs.size, leaves) > 1 && !(await viewFormer(run, sides))) {
    because("an input as it was can no longer be read");
    return undefined;
  }
  return { rows, sides, imagesSql: (reference) => `FROM ${ROWS.changed}.${identifier(reference)}` };
}

/** Schema of the changes as they were read. */
const ALL = "_ingot_changes";

/** Makes the relations of the inputs as they were. False where a former version can no longer be read. */
async function viewFormer(
  { session, inputs, tables, consumed }: ModelRun,
  sides: ReadonlyMap<string, Readonly<Record<State, boolean>>>,
): Promise<boolean> {
  for (const [reference, input] of inputs) {
    const [table, version] = [tables.get(reference), consumed?.get(reference)];
    if (table === undefined || version === undefined) return false;
    const former = sides.has(reference) ? await formerVersion(table, version) : input;
    if (former === undefined) return false;
    await session.view(ROWS.old, reference, await scanSql(table.store, scannable(former)));
  }
  return true;
}

async function formerVersion(table: DeltaTable, version: number): Promise<Snapshot | undefined> {
  try {
    return await table.snapshot(version);
  } catch (error) {
    // The log of a table is cleaned of what is old.
    if (error instanceof IngotError && error.code.startsWith("DELTA_")) return undefined;
    throw error;
  }
}
