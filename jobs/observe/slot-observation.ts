/** Replication slots as the source sees them. */

import { TerminalError } from "../../lakehouse/errors.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { readSlot, type SlotState } from "../../layers/bronze/postgres/replication/slot.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { replicationNames } from "../../layers/definition/replication-names.ts";
import type { Runtime } from "../runtime.ts";
import type { Parts } from "./parts.ts";
import { WaitingWal } from "./waiting-wal.ts";

export interface SlotObservation {
  readonly pipeline: string;
  readonly slot: string;
  /** Bytes of WAL, of whatever tables, that were not acknowledged. */
  readonly lagBytes?: number;
  /** For so long, at least, the oldest of them has been waiting; from the first observation of this process on. */
  readonly lagSeconds?: number;
  /** Bytes of WAL that the source keeps for the slot. */
  readonly retainedBytes?: number;
  /** `missing` before the first load, too; `lost`: the source has given it up, the next sync repairs. */
  readonly status: "in use" | "idle" | "lost" | "missing";
}

/** Milliseconds that the source has for each answer: less than a scrape waits. */
const PATIENCE = 4_000;

/** By the name of the slot. */
export type KnownWaiting = Map<string, WaitingWal>;

/** The slots of these pipelines, over one connection; none where no pipeline has one. */
export async function observeSlots(
  runtime: Pick<Runtime, "database">,
  pipelines: readonly PipelineDefinition[],
  parts: Parts,
  known: KnownWaiting,
  at: number,
): Promise<SlotObservation[]> {
  const captured = pipelines.filter(({ source }) => source.changes === "wal");
  if (captured.length === 0) return [];
  const found = await parts.look("slots", async () => ({
    since: at,
    slots: await readSlots(runtime, captured),
  }));
  if (found === undefined) return [];
  return found.slots.flatMap(({ pipeline, slot, outcome }) => {
    if (outcome.status === "rejected") {
      parts.note(`slot ${pipeline}`, outcome.reason);
      return [];
    }
    return [{ pipeline, slot, ...slotFigures(outcome.value, known, slot, found.since) }];
  });
}

/** One that cannot be read says nothing of the others. */
async function readSlots(runtime: Pick<Runtime, "database">, pipelines: readonly PipelineDefinition[]) {
  const client = await connect(await runtime.database(), { patience: PATIENCE });
  try {
    const found: { pipeline: string; slot: string; outcome: PromiseSettledResult<SlotState | undefined> }[] =
      [];
    for (const pipeline of pipelines) {
      const { slot } = replicationNames(pipeline);
      const [outcome] = await Promise.allSettled([readSlot(client, slot)]);
      // Of this slot alone; all else would happen to the others too.
      if (outcome.status === "rejected" && !(outcome.reason instanceof TerminalError)) throw outcome.reason;
      found.push({ pipeline: pipeline.name, slot, outcome });
    }
    return found;
  } finally {
    await disconnect(client);
  }
}

function slotFigures(
  state: SlotState | undefined,
  known: KnownWaiting,
  slot: string,
  at: number,
): Omit<SlotObservation, "pipeline" | "slot"> {
  if (state === undefined || state.lost) {
    known.delete(slot);
    return { status: state === undefined ? "missing" : "lost" };
  }
  const { active, behindBytes, heldBytes, writtenLsn } = state;
  const status = active ? "in use" : "idle";
  const figures = { lagBytes: behindBytes, retainedBytes: heldBytes, status } as const;
  if (writtenLsn === undefined) return figures;
  const waiting = known.get(slot) ?? new WaitingWal();
  known.set(slot, waiting);
  return { ...figures, lagSeconds: waiting.note(at, writtenLsn, writtenLsn - behindBytes) / 1000 };
}
