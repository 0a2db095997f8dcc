/** How a table's columns share a terminal's width. */

interface PlannedColumn {
  /** Which column of the table; undefined for the one that stands for all that were left out. */
  readonly index: number | undefined;
  readonly width: number;
}

export interface ColumnPlan {
  readonly columns: readonly PlannedColumn[];
  /** Columns that found no place. */
  readonly left: number;
}

/** A column as it would like to be. */
export interface WantedColumn {
  /** Width of its widest cell. */
  readonly natural: number;
  /** Numbers and times: a part of one misleads, so text gives way first. */
  readonly firm: boolean;
}

/** A cell narrower than this says nothing, unless all its values are that short. */
const NARROWEST = 8;
/** The longest that is kept whole: a timestamp with microseconds and zone. */
const WIDEST_FIRM = 27;
/** `│ ` before each column and ` │` after the last. */
const overhead = (columns: number): number => columns * 3 + 1;

/**
 * Widths for columns on a terminal. What is short stays whole; long texts share the rest evenly. Where even narrow
 * cells do not fit, columns in the middle give way: the first name a row, the last often hold its result.
 */
export function planColumns(wanted: readonly WantedColumn[], width: number): ColumnPlan {
  const sizes = wanted.map(({ natural, firm }) => ({
    natural,
    least: Math.min(natural, firm ? WIDEST_FIRM : NARROWEST),
  }));
  let kept = sizes.map((size, index) => ({ ...size, index }));
  const gap = () => (kept.length < wanted.length ? 1 : 0);
  const available = () => width - overhead(kept.length + gap()) - gap();
  while (kept.length > 1 && kept.reduce((sum, { least }) => sum + least, 0) > available()) {
    const middle = Math.ceil(kept.length / 2);
    kept = kept.filter((_, place) => place !== middle);
  }
  const left = wanted.length - kept.length;
  // Not even one character of the last column: a box would be wider than the terminal.
  if (kept.length === 0 || available() < 1) return { columns: [], left: wanted.length };
  const widths = share(kept, available());
  const columns: PlannedColumn[] = kept.map(({ index }, i) => ({ index, width: widths[i] ?? 0 }));
  if (left > 0) {
    const place = kept.findIndex(({ index }, i) => index !== i);
    columns.splice(place === -1 ? columns.length : place, 0, { index: undefined, width: 1 });
  }
  return { columns, left };
}

/** Each its natural width up to the largest common cap that fits, never less than its least. */
function share(sizes: readonly { natural: number; least: number }[], available: number): number[] {
  const under = (cap: number) => sizes.map(({ natural, least }) => Math.min(natural, Math.max(least, cap)));
  for (let cap = available; cap > 0; cap -= 1) {
    const widths = under(cap);
    if (widths.reduce((sum, wide) => sum + wide, 0) <= available) return widths;
  }
  // One column is left whose least is too much.
  return sizes.map(({ natural }) => Math.min(natural, available));
}
