import { type ChartItem, type ChartOptions, chartValue, NO_DATA } from "./chart-item.ts";
import { compactCount } from "./numbers.ts";
import { styleFor } from "./style.ts";
import { fitText, padEnd, padStart, printable, widthOf } from "./text.ts";

/** Part of a cell, in eighths, from the left. */
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/** A longer bar is no easier to compare. */
const LONGEST_BAR = 60;

/** How many cells lie on either side of zero, and what one cell is worth. */
interface Axis {
  readonly negative: number;
  readonly positive: number;
  readonly perCell: number;
}

/** Horizontal bars, one line an item; negative values grow to the left of a common zero. */
export function renderBars(items: readonly ChartItem[], options: ChartOptions): string {
  const style = styleFor(options.color);
  if (items.length === 0) return style.dim(fitText(NO_DATA, options.width));
  const drawn = items.map(({ label, value }) => {
    const number = chartValue(value);
    return { label: printable(label), value: number, text: number === null ? "–" : compactCount(number) };
  });
  const labels = Math.min(
    Math.max(...drawn.map(({ label }) => widthOf(label))),
    Math.floor(options.width * 0.35),
  );
  const values = Math.max(...drawn.map(({ text }) => widthOf(text)));
  const space = Math.min(LONGEST_BAR, options.width - labels - values - 4);
  const axis = axisOf(
    drawn.map(({ value }) => value ?? 0),
    space,
  );
  return drawn
    .map(({ label, value, text }) => {
      const name = padEnd(fitText(label, labels), labels);
      // Without room for bars the numbers still say it all.
      if (space < 1) return fitText(`${name}  ${text}`, options.width);
      const bar = style.red(negativeBar(value ?? 0, axis)) + style.cyan(positiveBar(value ?? 0, axis));
      return `${name}  ${bar}  ${value === null ? style.dim(padStart(text, values)) : padStart(text, values)}`;
    })
    .join("\n");
}

/** Both sides share one scale; each side that has a value has at least one cell. */
function axisOf(values: readonly number[], space: number): Axis {
  const most = Math.max(0, ...values);
  const least = Math.max(0, ...values.map((value) => -value));
  if (most === 0 && least === 0) return { negative: 0, positive: Math.max(0, space), perCell: 1 };
  if (least === 0) return { negative: 0, positive: space, perCell: most / space };
  if (most === 0) return { negative: space, positive: 0, perCell: least / space };
  const negative = Math.min(space - 1, Math.max(1, Math.round(space * (least / (least + most)))));
  const positive = space - negative;
  return { negative, positive, perCell: Math.max(least / negative, most / positive) };
}

function positiveBar(value: number, axis: Axis): string {
  if (value <= 0) return " ".repeat(axis.positive);
  // What is not zero is seen, be it ever so small.
  const eighths = Math.min(axis.positive * 8, Math.max(1, Math.round((value / axis.perCell) * 8)));
  return padEnd("█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? ""), axis.positive);
}

/** Unicode has eighths from the left only; to the left of zero halves must do. */
function negativeBar(value: number, axis: Axis): string {
  if (value >= 0) return " ".repeat(axis.negative);
  const halves = Math.min(axis.negative * 2, Math.max(1, Math.round((-value / axis.perCell) * 2)));
  return padStart((halves % 2 === 1 ? "▐" : "") + "█".repeat(Math.floor(halves / 2)), axis.negative);
}
