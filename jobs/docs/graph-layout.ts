/**
 * Places the tables of a pipeline for a drawing: columns from left to right in the direction of the flow, in each
 * column an order in which few lines cross (barycentres, after Sugiyama). Pure; the same graph gives the same drawing.
 */

export interface GraphNode {
  readonly id: string;
  /** The least column that it may stand in, from 0. */
  readonly least: number;
  readonly width: number;
}

/** From a table to one that reads it. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface GraphLayout {
  readonly width: number;
  readonly height: number;
  /** Upper left corners. */
  readonly nodes: ReadonlyMap<string, Point & { readonly width: number }>;
  /** Points that each line goes through; two, and one more in every column that it passes. */
  readonly edges: readonly (GraphEdge & { readonly points: readonly Point[] })[];
}

export const NODE_HEIGHT = 30;
const GAP = 12;
const COLUMN_GAP = 72;
/** A line that passes a column takes this much room there. */
const PASSING = 6;

/** A place in a column: a table, or a line that passes. */
interface Slot {
  readonly id: string;
  readonly column: number;
  readonly height: number;
  readonly left: Slot[];
  readonly right: Slot[];
  y: number;
}

/** Lays a graph without circles out; edges whose ends are not nodes are left out. */
export function layOut(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): GraphLayout {
  const known = new Set(nodes.map((node) => node.id));
  const drawn = edges.filter(({ from, to }) => known.has(from) && known.has(to) && from !== to);
  const columns = assignColumns(nodes, drawn);
  const slots = new Map<string, Slot>();
  for (const { id } of nodes) slots.set(id, slot(id, columns.get(id) ?? 0, NODE_HEIGHT));
  const chains = drawn.map((edge) => ({ ...edge, chain: connect(slots, edge) }));
  // Tables that have nothing to do with each other stand below each other, the larger groups first.
  let top = 0;
  for (const group of connected([...slots.values()])) {
    const ranks = byColumn(group);
    orderRanks(ranks);
    placeRanks(ranks, top);
    top = Math.max(...group.map((one) => one.y + one.height)) + GAP;
  }
  return measured(nodes, byColumn([...slots.values()]), slots, chains);
}

function byColumn(slots: readonly Slot[]): Slot[][] {
  const last = Math.max(-1, ...slots.map((one) => one.column));
  return Array.from({ length: last + 1 }, (_, column) => slots.filter((one) => one.column === column));
}

/** Groups of slots that lines join, the largest first. */
function connected(slots: readonly Slot[]): Slot[][] {
  const seen = new Set<Slot>();
  const groups: Slot[][] = [];
  for (const start of slots) {
    const group: Slot[] = [];
    const waiting = [start];
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      if (seen.has(one)) continue;
      seen.add(one);
      group.push(one);
      waiting.push(...one.left, ...one.right);
    }
    if (group.length > 0) groups.push(slots.filter((one) => group.includes(one)));
  }
  return groups.sort((a, b) => b.length - a.length);
}

const slot = (id: string, column: number, height: number): Slot => ({
  id,
  column,
  height,
  left: [],
  right: [],
  y: 0,
});

/** Every table stands to the right of all that it reads. */
function assignColumns(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): Map<string, number> {
  const columns = new Map(nodes.map((node) => [node.id, node.least]));
  // As many rounds as there are tables settle every graph without circles.
  for (let round = 0; round < nodes.length; round++) {
    let moved = false;
    for (const { from, to } of edges) {
      const needed = (columns.get(from) ?? 0) + 1;
      if ((columns.get(to) ?? 0) >= needed) continue;
      columns.set(to, needed);
      moved = true;
    }
    if (!moved) break;
  }
  return columns;
}

/** Links two tables slot by slot, with slots for the columns between them. */
function connect(slots: Map<string, Slot>, { from, to }: GraphEdge): Slot[] {
  const [start, end] = [slots.get(from), slots.get(to)];
  if (!start || !end) return [];
  const chain = [start];
  for (let column = start.column + 1; column < end.column; column++) {
    const passing = slot(`${from} ${to} ${column}`, column, PASSING);
    slots.set(passing.id, passing);
    chain.push(passing);
  }
  chain.push(end);
  for (const [i, right] of chain.entries()) {
    const left = chain[i - 1];
    if (!left) continue;
    left.right.push(right);
    right.left.push(left);
  }
  return chain;
}

/** Sorts each column by the middle of what its slots are linked to, to and fro, and keeps the best order found. */
function orderRanks(ranks: Slot[][]): void {
  let best = ranks.map((rank) => [...rank]);
  let fewest = crossings(ranks);
  for (let sweep = 0; sweep < 12 && fewest > 0; sweep++) {
    const side = sweep % 2 === 0 ? "left" : "right";
    const order = sweep % 2 === 0 ? ranks : [...ranks].reverse();
    for (const rank of order) {
      const place = new Map(
        ranks.flatMap((r) => r.map((s, i): [Slot, number] => [s, i / Math.max(1, r.length)])),
      );
      const middle = new Map(
        rank.map((s) => [s, mean(s[side].map((n) => place.get(n) ?? 0)) ?? place.get(s) ?? 0]),
      );
      rank.sort((a, b) => (middle.get(a) ?? 0) - (middle.get(b) ?? 0));
    }
    const count = crossings(ranks);
    if (count >= fewest) continue;
    fewest = count;
    best = ranks.map((rank) => [...rank]);
  }
  for (const [i, rank] of best.entries()) ranks[i] = rank;
}

function crossings(ranks: readonly (readonly Slot[])[]): number {
  let count = 0;
  for (const [i, rank] of ranks.entries()) {
    const place = new Map((ranks[i + 1] ?? []).map((s, at) => [s, at]));
    const ends = rank.flatMap((s) => s.right.map((next) => place.get(next) ?? 0).sort((a, b) => a - b));
    for (const [a, end] of ends.entries()) for (const later of ends.slice(a + 1)) if (later < end) count++;
  }
  return count;
}

/** Heights: each slot as near to the middle of its neighbours as the order of its column lets it. */
function placeRanks(ranks: readonly Slot[][], top: number): void {
  for (const rank of ranks)
    spread(
      rank,
      rank.map(() => 0),
    );
  for (let sweep = 0; sweep < 16; sweep++) {
    const side = sweep % 2 === 0 ? "left" : "right";
    for (const rank of sweep % 2 === 0 ? ranks : [...ranks].reverse()) {
      const wanted = rank.map((s) => mean(s[side].map(centre)) ?? centre(s));
      spread(
        rank,
        wanted.map((y, i) => y - (rank[i]?.height ?? 0) / 2),
      );
    }
  }
  const highest = Math.min(...ranks.flat().map((s) => s.y));
  for (const s of ranks.flat()) s.y += top - highest;
}

const centre = (s: Slot) => s.y + s.height / 2;

/** Gives slots the places that they want, pushed apart: down from the first, then back up by half of the surplus. */
function spread(rank: readonly Slot[], wanted: readonly number[]): void {
  let floor = Number.NEGATIVE_INFINITY;
  for (const [i, s] of rank.entries()) {
    s.y = Math.max(wanted[i] ?? 0, floor);
    floor = s.y + s.height + GAP;
  }
  const surplus = mean(rank.map((s, i) => s.y - (wanted[i] ?? 0))) ?? 0;
  for (const s of rank) s.y -= surplus;
}

function measured(
  nodes: readonly GraphNode[],
  ranks: readonly (readonly Slot[])[],
  slots: ReadonlyMap<string, Slot>,
  chains: readonly (GraphEdge & { readonly chain: readonly Slot[] })[],
): GraphLayout {
  const widths = ranks.map((_, column) =>
    Math.max(0, ...nodes.flatMap((node) => (slots.get(node.id)?.column === column ? [node.width] : []))),
  );
  const lefts: number[] = [];
  for (const [i, width] of widths.entries()) {
    const before = lefts[i - 1];
    lefts.push(before === undefined ? 0 : before + (widths[i - 1] ?? 0) + (width > 0 ? COLUMN_GAP : 0));
  }
  const left = (s: Slot) => lefts[s.column] ?? 0;
  const width = (s: Slot) => widths[s.column] ?? 0;
  const edges = chains.map(({ from, to, chain }) => ({
    from,
    to,
    points: chain.flatMap((s, i): Point[] => {
      const y = centre(s);
      if (i === 0) return [{ x: left(s) + width(s), y }];
      if (i === chain.length - 1) return [{ x: left(s), y }];
      return [
        { x: left(s), y },
        { x: left(s) + width(s), y },
      ];
    }),
  }));
  return {
    width: Math.max(0, ...ranks.flat().map((s) => left(s) + width(s))),
    height: Math.max(0, ...ranks.flat().map((s) => s.y + s.height)),
    nodes: new Map(
      nodes.flatMap(({ id }): [string, Point & { width: number }][] => {
        const s = slots.get(id);
        return s ? [[id, { x: left(s), y: s.y, width: width(s) }]] : [];
      }),
    ),
    edges,
  };
}

const mean = (numbers: readonly number[]): number | undefined =>
  numbers.length === 0 ? undefined : numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
