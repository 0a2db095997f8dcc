/**
 * The versions of a model's inputs that a chunk is made from: those that its table was made from, so that the range
 * becomes what the table's record says it is, and the next increment goes on from there. Where such a version can no
 * longer be read, the newest will do for kinds whose next run corrects whatever it reads again; see `toleratesNewer`.
 */
import { logicalFile } from "../../lakehouse/delta/actions.ts";
import { changeSince } from "../../lakehouse/delta/change/change-feed.ts";
import { findMissing } from "../../lakehouse/delta/maintain/find-missing.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import { IngotError, TerminalError } from "../../lakehouse/errors.ts";
import type { Model } from "../models/planned-model.ts";
import { type Inputs, type ModelRecord, recordOf } from "../models/record.ts";

export interface PinnedInputs {
  /** What is read. */
  readonly inputs: Inputs;
  /** What the table goes on to be recorded as made from. */
  readonly recorded: Inputs;
  /** Inputs that are read in a newer version than the table was made from. */
  readonly newer: readonly string[];
}

/** What the table of a model was made from. Throws `BACKFILL_NOT_BUILT`. */
export function takenBy(model: Model, base: Snapshot | undefined): ModelRecord {
  const taken = base && recordOf(base);
  if (taken !== undefined && model.references.every((name) => taken.inputs[name] !== undefined)) return taken;
  throw new TerminalError(`${model.name} was not built yet, or from other tables than its SQL reads now`, {
    code: "BACKFILL_NOT_BUILT",
    value: model.name,
    next: "Run `ingot build` first: it makes the whole table.",
  });
}

/**
 * Whether a range may be made from newer inputs than the record says. A full model is made whole by the next run, and
 * of a merge model the newest row of a key wins however often it is taken. A group that rows came to and went from
 * between two builds would not be among those that the next increment finds touched.
 */
const toleratesNewer = ({ kind }: Model): boolean => kind === "full" || kind === "merge";

/** Finds the versions, and remembers those that it has loaded. */
export class InputPins {
  private readonly model: Model;
  private readonly tables: ReadonlyMap<string, DeltaTable>;
  private readonly known = new Map<string, Promise<Snapshot | undefined>>();

  constructor(model: Model, tables: ReadonlyMap<string, DeltaTable>) {
    this.model = model;
    this.tables = tables;
  }

  /** Throws `BACKFILL_INPUT_GONE`. */
  async pin(taken: ModelRecord): Promise<PinnedInputs> {
    const [inputs, recorded] = [new Map<string, Snapshot>(), new Map<string, Snapshot>()];
    const newer: string[] = [];
    for (const [name, table] of this.tables) {
      const { id = "", version = -1 } = taken.inputs[name] ?? {};
      const current = await table.existingSnapshot();
      const former = await this.former(name, table, current, version);
      const isIt = former?.metadata.id === id;
      if (!isIt) {
        if (!toleratesNewer(this.model)) throw gone(this.model, name, version);
        newer.push(name);
      }
      const snapshot = isIt ? former : current;
      inputs.set(name, snapshot);
      recorded.set(name, { ...snapshot, version, metadata: { ...snapshot.metadata, id } });
    }
    return { inputs, recorded, newer };
  }

  private former(
    name: string,
    table: DeltaTable,
    current: Snapshot,
    version: number,
  ): Promise<Snapshot | undefined> {
    if (current.version === version) return Promise.resolve(current);
    const known = this.known.get(`${name} ${version}`) ?? sameRows(table, current, version);
    this.known.set(`${name} ${version}`, known);
    return known;
  }
}

/** A former version if all of its files are there still; the current one if no row has changed since. */
async function sameRows(
  table: DeltaTable,
  current: Snapshot,
  version: number,
): Promise<Snapshot | undefined> {
  try {
    const former = await table.snapshot(version);
    if (former === undefined) return undefined;
    // What the newest version has is there; vacuum takes the others.
    const live = new Set([...current.files.values()].map(logicalFile));
    const old = [...former.files.values()].filter((file) => !live.has(logicalFile(file)));
    if ((await findMissing(table.store, old)).length === 0) return former;
    return (await changeSince(table, version, current))?.files === 0 ? current : undefined;
  } catch (error) {
    // The log of a table is cleaned of what is old.
    if (error instanceof IngotError && error.code.startsWith("DELTA_")) return undefined;
    throw error;
  }
}

function gone({ name }: Model, input: string, version: number): TerminalError {
  return new TerminalError(`${name} was made from version ${version} of ${input}, which is gone`, {
    code: "BACKFILL_INPUT_GONE",
    value: `${input}@${version}`,
    allowed: "inputs whose versions have not been vacuumed since the model was built",
    next: "Run `ingot build` first: it brings the model up to versions that are there.",
  });
}
