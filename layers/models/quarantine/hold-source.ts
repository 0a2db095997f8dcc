/**
 * Which bronze table the rows of a quarantine are of. One that was loaded anew, perhaps from another cluster, counts
 * LSNs of its own: they do not tell what is newer than what is held of the former one. So the first run over all rows of
 * another table empties the quarantine, in a commit that says whose rows follow; from then on LSNs compare.
 */
import { removeOf } from "../../../lakehouse/delta/metadata.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { raceLost } from "../commit-model.ts";
import type { ModelRun } from "../run.ts";
import { ensureQuarantine } from "./quarantine-table.ts";

/** Applications of the quarantine's log: the id of a bronze table; their versions count the tables. */
const APP = "ingot.quarantine/";

interface HeldSource {
  readonly id: string;
  readonly nth: number;
}

/** The bronze table that the rows are of; undefined where the quarantine was made without a note of it. */
function heldSource({ transactions }: Snapshot): HeldSource | undefined {
  let newest: HeldSource | undefined;
  for (const { appId, version } of transactions.values()) {
    if (!appId.startsWith(APP) || (newest && newest.nth >= version)) continue;
    newest = { id: appId.slice(APP.length), nth: version };
  }
  return newest;
}

/** The quarantine, ready for what a run has to say there; undefined where it has nothing to hold and nothing is held. */
export async function openQuarantine(
  run: ModelRun,
  held: number,
  isWhole: boolean,
): Promise<DeltaTable | undefined> {
  const { model, quarantine } = run;
  if (quarantine === undefined) return undefined;
  if ((await quarantine.snapshot()) === undefined) {
    if (held === 0) return undefined;
    await ensureQuarantine(quarantine, model.name);
  }
  await refuseRival(run);
  await claimQuarantine(run, quarantine, isWhole);
  return quarantine;
}

/** The quarantine is not written for a run whose own commit will be lost: another one has built the model meanwhile. */
async function refuseRival({ model, target, base }: ModelRun): Promise<void> {
  const version = (await target.snapshot())?.version;
  if (version === base?.version) return;
  throw raceLost(model, `version ${String(version)} instead of ${String(base?.version)}`);
}

/**
 * Makes the quarantine, which is there, one of the bronze table that the run reads. `isWhole`: the run is about all rows.
 * Rejects with `MODEL_RACE_LOST` where bronze is another table by now, and with `QUARANTINE_SOURCE` where a run about
 * some rows finds a quarantine of another table.
 */
async function claimQuarantine(run: ModelRun, quarantine: DeltaTable, isWhole: boolean): Promise<void> {
  const [reference = ""] = run.model.references;
  const id = run.inputs.get(reference)?.metadata.id;
  if (id === undefined) return;
  for (;;) {
    const there = await quarantine.existingSnapshot();
    const known = heldSource(there);
    if (known?.id === id) return;
    // What is held besides these rows would go for good.
    if (known === undefined && !isWhole && there.files.size > 0) return;
    await refuseFormer(run, reference, id);
    if (known !== undefined && !isWhole) throw otherSource(run, known.id, id);
    const now = quarantine.now();
    const outcome = await quarantine.commit({
      base: there,
      operation: "DELETE",
      actions: [
        { txn: { appId: `${APP}${id}`, version: (known?.nth ?? -1) + 1, lastUpdated: now } },
        ...[...there.files.values()].map((file) => ({ remove: removeOf(file, now) })),
      ],
      reads: "table",
    });
    if (outcome.status === "committed") return;
  }
}

/** A run over a table that was replaced meanwhile has nothing to say of what is held. */
async function refuseFormer(run: ModelRun, reference: string, id: string): Promise<void> {
  const store = run.tables.get(reference)?.store;
  // What was read before may be of the former table, which had more versions.
  const newest = store && (await new DeltaTable(store, run.target.duckdb).snapshot());
  if (newest?.metadata.id === id) return;
  throw raceLost(run.model, `${reference} is another table by now`);
}

const otherSource = ({ model }: ModelRun, known: string, id: string): TerminalError =>
  new TerminalError(`the quarantine of ${model.name} holds rows of another bronze table`, {
    code: "QUARANTINE_SOURCE",
    value: known,
    allowed: id,
    next: `Make both anew: ingot build --select ${model.name} --anew.`,
  });
