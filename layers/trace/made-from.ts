/** The versions of its inputs that a version of a model's table was made from. */
import { findMissing } from "../../lakehouse/delta/maintain/find-missing.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import { IngotError } from "../../lakehouse/errors.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import type { Model } from "../models/planned-model.ts";
import { consumedVersions } from "../models/record.ts";

export interface MadeFrom {
  readonly reference: string;
  readonly snapshot: Snapshot;
  /** Why it is not the version that the rows were made from. */
  readonly note: string | undefined;
}

/** The inputs in the versions that `made` was made from; where these are not to be had, the newest. */
export async function inputsOf(
  lake: Lake,
  pipeline: string,
  model: Model,
  made: Snapshot,
): Promise<MadeFrom[]> {
  const newest = new Map<string, Snapshot>();
  const tables = new Map<string, DeltaTable>();
  for (const reference of model.references) {
    const [layer, name] = reference.split(".");
    const path: TablePath = `${pipeline}/${layer}/${name}`;
    tables.set(reference, lake.table(path));
    newest.set(reference, await lake.table(path).existingSnapshot());
  }
  const consumed = consumedVersions(made, model, newest);
  const found: MadeFrom[] = [];
  for (const [reference, current] of newest) {
    const table = tables.get(reference);
    const version = consumed?.get(reference);
    if (table === undefined) continue;
    const former = version === undefined ? undefined : await readable(table, current, version);
    const why =
      version === undefined ? "the model or an input was made anew since" : `version ${version} is gone`;
    found.push({
      reference,
      snapshot: former ?? current,
      note: former === undefined ? `shown as it is now: ${why}` : undefined,
    });
  }
  return found;
}

async function readable(
  table: DeltaTable,
  current: Snapshot,
  version: number,
): Promise<Snapshot | undefined> {
  if (current.version === version) return current;
  try {
    const former = await table.snapshot(version);
    const gone = former && [...former.files.values()].filter((file) => !current.files.has(file.path));
    return gone && (await findMissing(table.store, gone)).length === 0 ? former : undefined;
  } catch (error) {
    // The log of a table is cleaned of what is old.
    if (error instanceof IngotError && error.code.startsWith("DELTA_")) return undefined;
    throw error;
  }
}
