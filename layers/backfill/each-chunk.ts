/** The chunks of a backfill, one after the other, with progress and another try for those that lost a race. */
import { codeOf } from "../../lakehouse/errors.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import { retrying } from "../../lakehouse/retry.ts";
import type { Interval } from "./range.ts";

/** What one chunk came to. */
export interface ChunkResult {
  readonly rowsIn: number;
  readonly rowsOut: number;
  readonly bytes: number;
  /** Of the table after it. */
  readonly version: number;
}

/** What all chunks came to; the version is that after the last one. */
export type ChunkSum = { -readonly [K in keyof ChunkResult]: number };

interface Chunks {
  readonly task: string;
  readonly chunks: readonly Interval[];
  /** Rows that are to be read, as far as it is known. */
  readonly rows: number;
  readonly onProgress: ProgressListener;
}

/** Makes every chunk and sums up. `sayEnd` says in a few words what came of them. */
export async function eachChunk<R extends ChunkResult>(
  { task, chunks, rows, onProgress }: Chunks,
  make: (chunk: Interval) => Promise<R>,
  sayEnd: (sum: ChunkSum) => Promise<string> | string,
): Promise<ChunkSum> {
  const sum: ChunkSum = { rowsIn: 0, rowsOut: 0, bytes: 0, version: 0 };
  try {
    for (const [i, chunk] of chunks.entries()) {
      const note = `chunk ${i + 1} of ${chunks.length}, from ${chunk.from}`;
      onProgress({ task, state: "running", rows: sum.rowsIn, totalRows: Math.max(rows, 1), note });
      const made = await retrying(() => make(chunk), { codesOf: (error) => [codeOf(error) ?? ""] });
      sum.rowsIn += made.rowsIn;
      sum.rowsOut += made.rowsOut;
      sum.bytes += made.bytes;
      sum.version = made.version;
    }
  } catch (error) {
    onProgress({ task, state: "failed" });
    throw error;
  }
  const note = await sayEnd(sum);
  const bytes = sum.bytes > 0 ? { bytes: sum.bytes } : {};
  onProgress({ task, state: "done", rows: sum.rowsIn, ...bytes, note });
  return sum;
}
