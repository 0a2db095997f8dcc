/** What a pipeline's slot and publications are called at the source. */
import type { PipelineDefinition } from "./pipeline.ts";

/** Names of a pipeline's slot and publications. */
export function replicationNames({ name, source }: Pick<PipelineDefinition, "name" | "source">): {
  readonly slot: string;
  readonly publications: readonly [changes: string, inserts: string];
} {
  const publication = source.wal?.publication ?? `ingot_${name}`;
  return { slot: source.wal?.slot ?? `ingot_${name}`, publications: [publication, `${publication}_inserts`] };
}

/** The name of a slot that does not stand in for a lost one before the tables have been repaired. */
export const provisionalSlot = (slot: string): string => `${slot.slice(0, 56)}_repair`;

/** Two pipelines of which one would take away what the other goes by. */
export interface SlotClash {
  /** Position of the later pipeline. */
  readonly index: number;
  readonly slot: string;
  readonly other: string;
}

/** The first two capturing pipelines that would read one slot, or one the slot with which the other repairs itself. */
export function findSlotClash(
  pipelines: readonly Pick<PipelineDefinition, "name" | "source">[],
): SlotClash | undefined {
  const taken = new Map<string, string>();
  for (const [index, pipeline] of pipelines.entries()) {
    if (pipeline.source.changes !== "wal") continue;
    const { slot } = replicationNames(pipeline);
    const names = [slot, provisionalSlot(slot)];
    const clash = names.find((name) => taken.has(name));
    if (clash !== undefined) return { index, slot: clash, other: taken.get(clash) ?? "" };
    for (const name of names) taken.set(name, pipeline.name);
  }
  return undefined;
}
