/** One rival: does its operations one after the other and tells what it was told. */

import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { messageOf, TransientError } from "../../../lakehouse/errors.ts";
import type { ObjectStore } from "../../../lakehouse/store/store.ts";
import { type FaultRates, faultyStore, randomFaults } from "../faulty-store.ts";
import { perform, type RaceOperation } from "./operations.ts";

export interface RivalPlan {
  readonly name: string;
  readonly operations: readonly RaceOperation[];
  readonly seed: number;
  readonly faults: FaultRates;
}

/** What became of one operation: `done`, or `unknown` where a fault hid the outcome. */
export interface Told {
  readonly tag: string;
  readonly operation: RaceOperation;
  readonly outcome: "done" | "unknown";
}

/** Works through a plan over a store that fails now and then. Rejects when anything but such a fault goes wrong. */
export async function runRival(store: ObjectStore, duckdb: DuckDb, plan: RivalPlan): Promise<Told[]> {
  const faulty = faultyStore(store, randomFaults(plan.seed, plan.faults));
  const told: Told[] = [];
  for (const [i, operation] of plan.operations.entries()) {
    const tag = `${plan.name}-${i}`;
    const table = new DeltaTable(faulty, duckdb, { userMetadata: tag, checkpointInterval: 3 });
    try {
      await perform(table, operation, tag);
      told.push({ tag, operation, outcome: "done" });
      await readSome(table, duckdb);
    } catch (error) {
      if (!isFault(error))
        throw new Error(`${tag} ${JSON.stringify(operation)}: ${messageOf(error)}`, { cause: error });
      if (told.at(-1)?.tag !== tag) told.push({ tag, operation, outcome: "unknown" });
    }
  }
  return told;
}

/** A reader among the writers: whatever version it gets, its files must be there. */
async function readSome(table: DeltaTable, duckdb: DuckDb): Promise<void> {
  const snapshot = await table.existingSnapshot();
  await duckdb.rows(`SELECT count(*), sum(value) FROM (${await scanSql(table.store, scannable(snapshot))})`);
}

/** Planned faults come as they are, or as the cause of what they broke. */
function isFault(error: unknown): boolean {
  if (error instanceof TransientError) return true;
  return error instanceof Error && error.cause !== undefined && isFault(error.cause);
}
