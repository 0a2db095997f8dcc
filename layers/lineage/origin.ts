/** Where the values of a column come from, and in what way. */

/** The value itself goes in, in the terms of OpenLineage: as it is, changed, or summed up over several rows. */
const DIRECT = ["identity", "transformation", "aggregation"] as const;
/** The value only decides: which rows there are, which of several values is taken. */
const INDIRECT = ["join", "group_by", "filter", "sort", "window", "conditional"] as const;

/** The way in which a column goes into another one. */
export type How = (typeof DIRECT)[number] | (typeof INDIRECT)[number];

/** Stands for the rows of a table, where their number is what matters: `count(*)`. */
export const ROWS = "*";

/** One column of an input, and how it goes in. */
export interface Origin {
  /** `silver.orders` */
  readonly table: string;
  /** Name of the column, or `ROWS`. */
  readonly column: string;
  readonly how: How;
}

export type Origins = readonly Origin[];

/** Whether values go in, and do not only decide. */
export const isDirect = (how: How): how is (typeof DIRECT)[number] =>
  (DIRECT as readonly string[]).includes(how);

/** All of these, each once, in order of first appearance. */
export function unite(...lists: readonly Origins[]): Origins {
  const found = new Map<string, Origin>();
  for (const origin of lists.flat()) found.set(`${origin.how} ${origin.table} ${origin.column}`, origin);
  return [...found.values()];
}

/** What has these origins goes in in this way: what only decides never becomes a value again. */
export const through = (how: How, origins: Origins): Origins =>
  unite(origins.map((origin) => ({ ...origin, how: compose(how, origin.how) })));

/** The way of a way: of two steps the one that leaves less of the value. */
function compose(outer: How, inner: How): How {
  if (!isDirect(outer)) return outer;
  if (!isDirect(inner)) return inner;
  return DIRECT.indexOf(outer) > DIRECT.indexOf(inner) ? outer : inner;
}
