/**
 * Up to which id a table that is only appended to has been taken, although a lower id may commit after a higher one.
 *
 * A mark is the highest id that a sync saw. Whoever drew a lower one had begun before that moment: once all
 * transactions that ran then have ended, and a later sync has looked, no row can appear at or below the mark. A
 * transaction draws its id before it has a transaction id of its own, so those that ran are told by their virtual
 * ids first; when none of these is left, whatever transaction ids they had are below the next snapshot's end.
 */
import { z } from "zod";

/** `running`: virtual ids that must end first; afterwards `xmax`, below which every transaction must have ended. */
export interface IdMark {
  readonly value: bigint;
  readonly running?: readonly string[] | undefined;
  readonly xmax?: bigint | undefined;
}

export const idMarksSchema = z.array(
  z.object({
    value: z.string().transform(BigInt),
    running: z.array(z.string()).optional(),
    xmax: z.string().transform(BigInt).optional(),
  }),
);

/** What a sync saw. */
export interface SeenIds {
  /** The highest id that its snapshot showed; undefined where there was none. */
  readonly highest: bigint | undefined;
  /** Virtual ids that ran afterwards. */
  readonly running: readonly string[];
  /** Whether a transaction that an earlier mark waits for may still run; by `running` where absent. */
  readonly mayRun?: (virtualId: string) => boolean;
  /** End of its snapshot. */
  readonly xmax: bigint;
}

/** As many marks as a position keeps. */
const MOST = 8;

/** The id up to which a position has every row; undefined where it is not known. `xmin`: of the position's snapshot. */
export function finalId(marks: readonly IdMark[], xmin: bigint): bigint | undefined {
  const final = marks.filter((mark) => mark.xmax !== undefined && mark.xmax <= xmin);
  return final.reduce<bigint | undefined>(
    (highest, { value }) => (highest === undefined || value > highest ? value : highest),
    undefined,
  );
}

/** The marks after a sync, oldest first. `xmin`: of the sync's snapshot. */
export function nextMarks(marks: readonly IdMark[], seen: SeenIds, xmin: bigint): IdMark[] {
  const { highest, running, xmax, mayRun = (id) => running.includes(id) } = seen;
  const advanced = marks.map((mark): IdMark => {
    if (mark.xmax !== undefined) return mark;
    // None was left when the sync before looked: what they did is below this snapshot's end.
    if (mark.running === undefined || mark.running.length === 0) return { value: mark.value, xmax };
    return { value: mark.value, running: mark.running.filter(mayRun) };
  });
  const final = finalId(advanced, xmin);
  const kept = advanced.filter(({ value }) => final === undefined || value >= final);
  if (highest === undefined || kept.some(({ value }) => value >= highest)) return kept;
  // Of marks that wait for long the old ones come first to their end: the newest gives way.
  return [...kept.slice(0, MOST - 1), { value: highest, running }];
}

/** As JSON can hold them. */
export const printMarks = (marks: readonly IdMark[]): unknown =>
  marks.map(({ value, running, xmax }) => ({
    value: String(value),
    ...(running === undefined ? {} : { running }),
    ...(xmax === undefined ? {} : { xmax: String(xmax) }),
  }));
