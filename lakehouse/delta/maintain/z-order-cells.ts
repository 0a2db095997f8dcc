/**
 * Which rows make one file: the space of the ranks is halved again and again, by one column after the other, until
 * there is a cell for each file. Pieces of equal length cut from a z-curve would do as well only for powers of two:
 * others run around corners of the curve, and their least and greatest values span half the table.
 */

/** A row's rank by each column. */
export type Ranks = readonly number[];

/** A cell, or two parts: rows whose rank by the column `axis` is beyond `limit` are in `beyond`. */
export type Cells =
  | { readonly cell: number }
  | { readonly axis: number; readonly limit: number; readonly upTo: Cells; readonly beyond: Cells };

/** Divides a sample of rows into at most `count` cells of about as many rows each. */
export function divide(rows: readonly Ranks[], count: number): Cells {
  let cells = 0;
  const part = (some: readonly Ranks[], wanted: number, depth: number): Cells => {
    const split = wanted < 2 ? undefined : splitRows(some, Math.floor(wanted / 2) / wanted, depth);
    if (split === undefined) return { cell: cells++ };
    const { axis, limit, upTo, beyond } = split;
    // Where values repeat, the parts come out uneven: cells go by what is in them.
    const share = Math.min(wanted - 1, Math.max(1, Math.round((wanted * upTo.length) / some.length)));
    return { axis, limit, upTo: part(upTo, share, axis + 1), beyond: part(beyond, wanted - share, axis + 1) };
  };
  return part(rows, count, 0);
}

/** Splits so that about `share` of the rows lie up to the limit, by the first column that can. */
function splitRows(rows: readonly Ranks[], share: number, depth: number) {
  const columns = rows[0]?.length ?? 0;
  for (let i = 0; i < columns; i++) {
    const axis = (depth + i) % columns;
    const ranks = Float64Array.from(rows, (row) => row[axis] ?? 0).sort();
    const greatest = ranks.at(-1) ?? 0;
    const middle = ranks[Math.max(0, Math.ceil(ranks.length * share) - 1)] ?? 0;
    // The greatest rank divides nothing; the one below it does.
    const limit = middle < greatest ? middle : ranks.findLast((rank) => rank < greatest);
    if (limit === undefined) continue;
    const isUpTo = (row: Ranks) => (row[axis] ?? 0) <= limit;
    return { axis, limit, upTo: rows.filter(isUpTo), beyond: rows.filter((row) => !isUpTo(row)) };
  }
  return undefined;
}

/** SQL of the cell of a row whose ranks are these expressions. */
export function cellSql(cells: Cells, ranks: readonly string[]): string {
  if ("cell" in cells) return String(cells.cell);
  const { axis, limit, upTo, beyond } = cells;
  return `CASE WHEN ${ranks[axis]} > ${limit} THEN ${cellSql(beyond, ranks)} ELSE ${cellSql(upTo, ranks)} END`;
}
