/**
 * The chunks of a backfill with progress, and another try for those that lost a race. Several may be made at once; they
 * are committed one after the other, in order, so that what is recorded says how far all of them have come.
 */
import { setTimeout as delay } from "node:timers/promises";
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

/** How hard a backfill may work beside others. */
export interface ChunkLimits {
  /** Chunks of a model that are computed at once, or statements that read a chunk of bronze; 1 by default. */
  readonly concurrency?: number | undefined;
  /** Seconds between the commit of a chunk and the next that is begun. */
  readonly pauseSeconds?: number | undefined;
}

interface Chunks extends ChunkLimits {
  readonly task: string;
  readonly chunks: readonly Interval[];
  readonly onProgress: ProgressListener;
}

/** A chunk that is made and not committed yet. It is closed whether it is committed or not. */
export interface MadeChunk<R extends ChunkResult> {
  readonly commit: () => Promise<R>;
  readonly close: () => Promise<void>;
}

/** Makes every chunk and sums up. `sayEnd` says in a few words what came of them. */
export async function eachChunk<R extends ChunkResult>(
  { task, chunks, onProgress, concurrency = 1, pauseSeconds = 0 }: Chunks,
  make: (chunk: Interval) => Promise<MadeChunk<R>>,
  sayEnd: (sum: ChunkSum) => Promise<string> | string,
): Promise<ChunkSum> {
  const sum: ChunkSum = { rowsIn: 0, rowsOut: 0, bytes: 0, version: 0 };
  const ahead = new Ahead(chunks, concurrency, make);
  try {
    for (const [i, chunk] of chunks.entries()) {
      if (i > 0 && pauseSeconds > 0) await delay(pauseSeconds * 1000);
      const note = `chunk ${i + 1} of ${chunks.length}, from ${chunk.from}`;
      onProgress({ task, state: "running", rows: sum.rowsIn, share: i / chunks.length, note });
      const made = await retrying(() => ahead.commit(i), { codesOf: (error) => [codeOf(error) ?? ""] });
      sum.rowsIn += made.rowsIn;
      sum.rowsOut += made.rowsOut;
      sum.bytes += made.bytes;
      sum.version = made.version;
    }
  } catch (error) {
    onProgress({ task, state: "failed" });
    throw error;
  } finally {
    await ahead.close();
  }
  const note = await sayEnd(sum);
  const bytes = sum.bytes > 0 ? { bytes: sum.bytes } : {};
  onProgress({ task, state: "done", rows: sum.rowsIn, ...bytes, note });
  return sum;
}

/** Chunks that are made before it is their turn. */
class Ahead<R extends ChunkResult> {
  private readonly chunks: readonly Interval[];
  private readonly atOnce: number;
  private readonly make: (chunk: Interval) => Promise<MadeChunk<R>>;
  private readonly begun = new Map<number, Promise<MadeChunk<R>>>();
  private next = 0;

  constructor(chunks: readonly Interval[], atOnce: number, make: (chunk: Interval) => Promise<MadeChunk<R>>) {
    this.chunks = chunks;
    this.atOnce = atOnce;
    this.make = make;
  }

  /** Commits a chunk; one that was tried before is made again. */
  async commit(i: number): Promise<R> {
    this.beginUpTo(i + this.atOnce);
    const making = this.begun.get(i) ?? this.begin(i);
    this.begun.delete(i);
    const made = await making;
    try {
      return await made.commit();
    } finally {
      await made.close();
    }
  }

  /** Waits for what was begun and is not needed any more. */
  async close(): Promise<void> {
    for (const making of this.begun.values())
      await making.then(
        (made) => made.close(),
        () => {},
      );
  }

  private beginUpTo(end: number): void {
    for (; this.next < Math.min(end, this.chunks.length); this.next++)
      this.begun.set(this.next, this.begin(this.next));
  }

  private begin(i: number): Promise<MadeChunk<R>> {
    const chunk = this.chunks[i];
    if (chunk === undefined) throw new RangeError(`there is no chunk ${i}`);
    const making = this.make(chunk);
    // It is told of when its turn comes.
    making.catch(() => {});
    return making;
  }
}
