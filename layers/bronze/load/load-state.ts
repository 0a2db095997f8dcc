/** How far a historical load has come, as the bronze table remembers it until the load is complete. */
import { z } from "zod";
import type { Leaf } from "./extent.ts";
import { type Blocks, joined, type Range } from "./ranges.ts";

const blocksSchema = z.tuple([z.number().int(), z.number().int().nullable()]);

/** By object id of the relation: the file that its rows were in, and the blocks that are in bronze. */
export const loadStateSchema = z.record(
  z.string(),
  z.object({ file: z.string(), done: z.array(blocksSchema) }),
);
export type LoadState = z.infer<typeof loadStateSchema>;

/** The state after a range was read. */
export function withRange(state: LoadState, { parts }: Range): LoadState {
  const next = { ...state };
  for (const { leaf, blocks } of parts) {
    const done = joined([...(next[leaf.id]?.done ?? []), blocks]);
    next[leaf.id] = { file: leaf.file, done: done.map(([from, to]): [number, number | null] => [from, to]) };
  }
  return next;
}

/** Whether every block of these relations is in bronze. */
export function isComplete(state: LoadState, leaves: readonly Leaf[]): boolean {
  return leaves.every((leaf) => {
    const [first, ...others] = state[leaf.id]?.done ?? [];
    return others.length === 0 && first !== undefined && first[0] === 0 && first[1] === null;
  });
}

/** Why a load cannot go on where it was left; undefined where it can. */
export function changedSince(state: LoadState, leaves: readonly Leaf[]): string | undefined {
  if (leaves.length === 0) return "it can only be read as a whole now";
  for (const [id, { file }] of Object.entries(state)) {
    const leaf = leaves.find((l) => l.id === id);
    if (leaf === undefined) return "a part of it was removed";
    if (leaf.file !== file)
      return "its rows were moved to other blocks, as by TRUNCATE, VACUUM FULL or ALTER TABLE";
  }
  return undefined;
}

export const doneBlocks = (state: LoadState): ReadonlyMap<string, readonly Blocks[]> =>
  new Map(Object.entries(state).map(([id, { done }]) => [id, done]));
