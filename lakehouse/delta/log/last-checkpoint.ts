/** `_last_checkpoint`: where to begin listing the log (PROTOCOL.md, "Last Checkpoint File"). A hint, never a truth. */
import { z } from "zod";
import type { ObjectStore } from "../../store/store.ts";
import { LAST_CHECKPOINT } from "../log.ts";

const lastCheckpointSchema = z.looseObject({
  version: z.number().int().nonnegative(),
  /** Actions in the checkpoint. */
  size: z.number().optional(),
  sizeInBytes: z.number().nullish(),
  numOfAddFiles: z.number().nullish(),
  /** Where it has a name of its own. */
  v2Checkpoint: z
    .looseObject({ path: z.string(), sizeInBytes: z.number(), modificationTime: z.number() })
    .nullish(),
});

export type LastCheckpoint = z.infer<typeof lastCheckpointSchema>;

/** The hint; undefined where there is none or it is damaged, for the listing tells the truth. */
export async function readLastCheckpoint(store: ObjectStore): Promise<LastCheckpoint | undefined> {
  const bytes = await store.get(LAST_CHECKPOINT);
  if (bytes === undefined) return undefined;
  try {
    return lastCheckpointSchema.parse(JSON.parse(Buffer.from(bytes).toString()));
  } catch {
    return undefined;
  }
}

/**
 * Names a checkpoint that is there in full. A hint at a later one stays. (Of two writers that look at the same time
 * the slower wins: its checkpoint is as good a place to begin, with a few commits more to list.)
 */
export async function writeLastCheckpoint(store: ObjectStore, last: LastCheckpoint): Promise<void> {
  const present = await readLastCheckpoint(store);
  if (present !== undefined && present.version > last.version) return;
  await store.put(LAST_CHECKPOINT, Buffer.from(JSON.stringify(last)));
}
