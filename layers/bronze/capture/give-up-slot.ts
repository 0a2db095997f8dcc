import type pg from "pg";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import { provisionalSlot, replicationNames } from "../../definition/replication-names.ts";
import { dropSlot, readSlot } from "../postgres/replication/slot.ts";
import { disownSlot } from "../postgres/replication/slot-owner.ts";

/**
 * Drops the pipeline's slot, and the one that a repair left which did not come to its end: the source keeps no more WAL
 * for them, and any lake may make the slot anew. Answers whether there was one.
 */
export async function giveUpSlot(client: pg.Client, pipeline: PipelineDefinition): Promise<boolean> {
  const { slot } = replicationNames(pipeline);
  let found = false;
  for (const name of [slot, provisionalSlot(slot)]) {
    if ((await readSlot(client, name)) === undefined) continue;
    await dropSlot(client, name);
    found = true;
  }
  await disownSlot(client, pipeline);
  return found;
}
