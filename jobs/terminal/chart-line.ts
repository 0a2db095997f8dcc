import { DotCanvas } from "./braille.ts";
import { type ChartItem, type ChartOptions, chartValue, NO_DATA } from "./chart-item.ts";
import { compactNumber } from "./numbers.ts";
import { styleFor } from "./style.ts";
import { fitText, padEnd, padStart, printable, widthOf } from "./text.ts";

/** The axis and the labels below the plot. */
const LINES_BELOW = 2;

/**
 * A line over evenly spaced points, drawn in dots, `height` lines in all. Its top is the largest value, its bottom
 * the smallest; a null leaves a gap. However many points share a column, their extremes are drawn.
 */
export function renderLine(
  items: readonly ChartItem[],
  options: ChartOptions & { readonly height: number },
): string {
  const style = styleFor(options.color);
  const values = items.map(({ value }) => chartValue(value));
  const range = rangeOf(values);
  if (range === undefined) return style.dim(fitText(NO_DATA, options.width));
  const rows = Math.max(1, options.height - LINES_BELOW);
  const labels = yLabels(range, rows);
  const margin = Math.max(...labels.map(widthOf));
  const columns = options.width - margin - 2;
  if (columns < 1) return fitText(labels.filter(Boolean).join("–"), options.width);
  const canvas = new DotCanvas(columns, rows);
  plot(canvas, values, range);
  const lines = canvas.lines().map((line, row) => {
    const label = labels[row] ?? "";
    return `${padStart(label, margin)} ${style.dim(label === "" ? "│" : "┤")}${style.cyan(line)}`;
  });
  const indent = " ".repeat(margin + 1);
  const axis = indent + style.dim(`└${"─".repeat(columns)}`);
  return [...lines, axis, `${indent} ${style.dim(xLabels(items, columns))}`].join("\n");
}

interface Range {
  readonly least: number;
  readonly most: number;
}

function rangeOf(values: readonly (number | null)[]): Range | undefined {
  // Not `Math.min(...values)`: a long series would overflow the stack.
  let range: Range | undefined;
  for (const value of values) {
    if (value === null) continue;
    range = range
      ? { least: Math.min(range.least, value), most: Math.max(range.most, value) }
      : { least: value, most: value };
  }
  return range;
}

/** A label for the top row and one for the bottom row, with digits enough to differ. */
function yLabels({ least, most }: Range, rows: number): string[] {
  const labels = Array.from({ length: rows }, () => "");
  if (least === most) {
    labels[Math.floor(rows / 2)] = compactNumber(most);
    return labels;
  }
  const digits = [1, 2, 3, 4].find((n) => compactNumber(most, n) !== compactNumber(least, n)) ?? 1;
  labels[rows - 1] = compactNumber(least, digits);
  labels[0] = compactNumber(most, digits);
  return labels;
}

function plot(canvas: DotCanvas, values: readonly (number | null)[], { least, most }: Range): void {
  const lastX = canvas.width - 1;
  const lastY = canvas.height - 1;
  let before: { x: number; y: number } | undefined;
  for (const [i, value] of values.entries()) {
    if (value === null) {
      before = undefined;
      continue;
    }
    const x = values.length === 1 ? lastX >> 1 : Math.round((i / (values.length - 1)) * lastX);
    // Halved first: the difference of two huge values may be infinite.
    const share = most === least ? 0.5 : (value / 2 - least / 2) / (most / 2 - least / 2);
    const y = Math.round((1 - share) * lastY);
    if (before) canvas.line(before.x, before.y, x, y);
    else canvas.dot(x, y);
    before = { x, y };
  }
}

/** The first label at the left, the last at the right, each at most half of the width. */
function xLabels(items: readonly ChartItem[], columns: number): string {
  const first = printable(items[0]?.label ?? "");
  if (items.length < 2) return fitText(first, columns);
  const half = Math.floor((columns - 1) / 2);
  const last = fitText(printable(items[items.length - 1]?.label ?? ""), half);
  return padEnd(fitText(first, half), columns - widthOf(last)) + last;
}
