/** When a table is due for a checkpoint. */
import type { Snapshot } from "../snapshot.ts";

const FEWEST_COMMITS = 10;
/** Files in a checkpoint for each commit that it spares its readers. */
const FILES_A_COMMIT = 100;

/**
 * Whether a checkpoint of this version is due: every `delta.checkpointInterval` commits where the table says so, else
 * after ten commits, or more where the table has more than a thousand files: a checkpoint costs what the table weighs,
 * and so each commit bears the same share of it however large the table grows. `last`: version of the newest
 * checkpoint, none where absent.
 */
export function checkpointDue(
  { version, metadata, files }: Pick<Snapshot, "version" | "metadata" | "files">,
  last = -1,
): boolean {
  const stated = Number(metadata.configuration["delta.checkpointInterval"]);
  const interval =
    Number.isInteger(stated) && stated > 0
      ? stated
      : Math.max(FEWEST_COMMITS, Math.floor(files.size / FILES_A_COMMIT));
  return version > 0 && version - Math.max(0, last) >= interval;
}
