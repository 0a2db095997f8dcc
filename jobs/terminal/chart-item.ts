/** One point of a chart; null where there is no value. */
export interface ChartItem {
  readonly label: string;
  readonly value: number | bigint | null;
}

export interface ChartOptions {
  /** Columns of the terminal; no line is longer. */
  readonly width: number;
  /** By default what stdout can show. */
  readonly color?: boolean;
}

/** What a chart can draw of a query's value: decimals arrive as text. */
export function chartValue(value: unknown): number | null {
  if (typeof value === "bigint") return Number(value);
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : null;
}

/** Shown in place of a chart without values. */
export const NO_DATA = "(no data)";
