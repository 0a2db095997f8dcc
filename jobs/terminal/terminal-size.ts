/** How large a terminal is. One that does not know, as under `script`, says 0: that is no width at all. */

interface Sized {
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

const USUAL = { columns: 80, rows: 24 };

/** Columns of the terminal behind a stream; `elsewhere` where there is none. */
export function terminalWidth({ columns }: Sized, elsewhere: number = USUAL.columns): number {
  if (columns === undefined) return elsewhere;
  return columns > 0 ? columns : USUAL.columns;
}

/** Lines of the terminal behind a stream. */
export function terminalHeight({ rows = 0 }: Sized): number {
  return rows > 0 ? rows : USUAL.rows;
}
