/** Tables divided into ranges of blocks: what is still to be read, and what has been. */
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import type { Leaf } from "./extent.ts";

/** Blocks from `from` up to, not with, `to`; null means to the end, wherever that is. */
export type Blocks = readonly [from: number, to: number | null];

export interface Part {
  readonly leaf: Leaf;
  readonly blocks: Blocks;
}

/** What one statement reads and one step commits. Without parts: the table as a whole. */
export interface Range {
  readonly parts: readonly Part[];
  /** As far as the catalog knows. */
  readonly bytes: number;
}

/** A statement names at most so many relations. */
const MOST_PARTS = 64;

/** The rows of a range: a SELECT of these columns, in SQL. */
export function rangeSql(table: string, columns: string, { parts }: Range): string {
  if (parts.length === 0) return `SELECT ${columns} FROM ${table}`;
  return parts
    .map(({ leaf, blocks: [from, to] }) => {
      const relation = `${identifier(leaf.schema)}.${identifier(leaf.name)}`;
      const bounds = [
        ...(from === 0 ? [] : [`ctid >= '(${from},0)'::tid`]),
        ...(to === null ? [] : [`ctid < '(${to},0)'::tid`]),
      ];
      const where = bounds.length === 0 ? "" : ` WHERE ${bounds.join(" AND ")}`;
      return `SELECT ${columns} FROM ONLY ${relation}${where}`;
    })
    .join(" UNION ALL ");
}

/** Bytes of these blocks of a leaf, taken as evenly filled. */
function bytesOf(leaf: Leaf, [from, to]: Blocks): number {
  const count = Math.max(0, (to ?? leaf.blocks) - from);
  return count * bytesPerBlock(leaf);
}

const bytesPerBlock = (leaf: Leaf) => (leaf.blocks === 0 ? 0 : leaf.bytes / leaf.blocks);

/** What of a table nobody has been given to read yet. */
export class Unread {
  private gaps: Part[];

  /** `done`: blocks that were read before, by leaf. */
  constructor(leaves: readonly Leaf[], done: ReadonlyMap<string, readonly Blocks[]> = new Map()) {
    this.gaps = leaves.flatMap((leaf) =>
      complement(done.get(leaf.id) ?? []).map((blocks): Part => ({ leaf, blocks })),
    );
  }

  get isEmpty(): boolean {
    return this.gaps.length === 0;
  }

  get bytes(): number {
    return this.gaps.reduce((sum, part) => sum + bytesOf(part.leaf, part.blocks), 0);
  }

  /** Takes the next range, of about so many bytes and at least one block; undefined where all was given out. */
  take(bytes: number): Range | undefined {
    const parts: Part[] = [];
    let filled = 0;
    while (parts.length < MOST_PARTS) {
      const [gap] = this.gaps;
      if (gap === undefined || (parts.length > 0 && filled >= bytes)) break;
      const part = beginningOf(gap, bytes - filled);
      if (part === undefined && parts.length > 0) break;
      const taken = part ?? beginningOf(gap, bytesPerBlock(gap.leaf)) ?? gap;
      const { leaf, blocks } = taken;
      parts.push(taken);
      filled += bytesOf(leaf, blocks);
      const [, end] = blocks;
      if (end === gap.blocks[1]) this.gaps.shift();
      else if (end !== null) this.gaps[0] = { leaf, blocks: [end, gap.blocks[1]] };
    }
    return parts.length === 0 ? undefined : { parts, bytes: filled };
  }

  /** Puts a range back that could not be read. */
  giveBack({ parts }: Range): void {
    this.gaps.unshift(...parts);
  }
}

/** As much of a gap as so many bytes hold: all of it, its first blocks, or nothing. */
function beginningOf(gap: Part, bytes: number): Part | undefined {
  const { leaf, blocks } = gap;
  if (bytesOf(leaf, blocks) <= bytes) return gap;
  const count = leaf.divisible ? Math.floor(bytes / bytesPerBlock(leaf)) : 0;
  return count < 1 ? undefined : { leaf, blocks: [blocks[0], blocks[0] + count] };
}

/** Whether a range can be read in smaller ones. */
export function isDivisible({ parts }: Range): boolean {
  const [first] = parts;
  if (first === undefined) return false;
  const [from, to] = first.blocks;
  return parts.length > 1 || (first.leaf.divisible && (to ?? first.leaf.blocks) - from > 1);
}

/** Sorts blocks and joins those that touch. */
export function joined(blocks: readonly Blocks[]): Blocks[] {
  const result: [number, number | null][] = [];
  for (const [from, to] of [...blocks].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last === undefined || (last[1] !== null && last[1] < from)) result.push([from, to]);
    else if (last[1] !== null && (to === null || to > last[1])) last[1] = to;
  }
  return result;
}

/** What these blocks leave out. */
function complement(done: readonly Blocks[]): Blocks[] {
  const gaps: Blocks[] = [];
  let next: number | null = 0;
  for (const [from, to] of joined(done)) {
    if (next !== null && next < from) gaps.push([next, from]);
    next = to;
  }
  if (next !== null) gaps.push([next, null]);
  return gaps;
}
