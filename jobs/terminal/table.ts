import { formatCell, isNumeric } from "./cell.ts";
import { groupDigits } from "./numbers.ts";
import { type Style, styleFor } from "./style.ts";
import { type ColumnPlan, planColumns, type WantedColumn } from "./table-width.ts";
import { fitText, padEnd, padStart, printable, widthOf } from "./text.ts";

export interface Table {
  readonly columns: readonly { readonly name: string; readonly type?: string }[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface TableOptions {
  /** Columns of the terminal; no line is longer. */
  readonly width: number;
  /** Rows to show; all by default. */
  readonly maxRows?: number;
  /** There are more rows than `rows` holds, nobody counted how many. */
  readonly truncated?: boolean;
  /** By default what stdout can show. */
  readonly color?: boolean;
}

/** One column, ready to be drawn. */
interface DrawnColumn {
  readonly header: string;
  readonly cells: readonly { readonly text: string; readonly isNull: boolean }[];
  readonly right: boolean;
  readonly firm: boolean;
}

/** A table in light lines, cut to the terminal. No line break at its end. */
export function renderTable(table: Table, options: TableOptions): string {
  const style = styleFor(options.color);
  const rows = table.rows.slice(0, options.maxRows ?? table.rows.length);
  const columns = table.columns.map((column, i) =>
    drawColumn(
      column,
      rows.map((row) => row[i]),
    ),
  );
  const plan = planColumns(columns.map(wantedWidth), options.width);
  const lines = frame(columns, plan, rows.length, style);
  const notes = footer(table, options, rows.length, plan).map((note) =>
    style.dim(fitText(note, options.width)),
  );
  return [...lines, ...notes].join("\n");
}

function drawColumn(column: Table["columns"][number], values: readonly unknown[]): DrawnColumn {
  const right = isNumeric(column.type, values);
  return {
    header: printable(column.name),
    cells: values.map((value) => ({
      text: formatCell(value, column.type),
      isNull: value === null || value === undefined,
    })),
    right,
    firm: right || /^(TIME|DATE)/i.test(column.type ?? ""),
  };
}

function wantedWidth({ header, cells, firm }: DrawnColumn): WantedColumn {
  const natural = cells.reduce((widest, { text }) => Math.max(widest, widthOf(text)), widthOf(header));
  return { natural, firm };
}

/** The box with its header and rows. Columns left out by the plan stand as one `…`. */
function frame(columns: readonly DrawnColumn[], plan: ColumnPlan, rows: number, style: Style): string[] {
  if (plan.columns.length === 0) return [];
  const rule = (left: string, middle: string, right: string) =>
    style.dim(left + plan.columns.map(({ width }) => "─".repeat(width + 2)).join(middle) + right);
  const edge = style.dim("│");
  const line = (content: (column: DrawnColumn) => { text: string; look: (text: string) => string }) => {
    const cells = plan.columns.map(({ index, width }) => {
      const column = index === undefined ? undefined : columns[index];
      if (column === undefined) return padEnd(style.dim("…"), width);
      const { text, look } = content(column);
      return (column.right ? padStart : padEnd)(look(fitText(text, width)), width);
    });
    return `${edge} ${cells.join(` ${edge} `)} ${edge}`;
  };
  const header = line((column) => ({ text: column.header, look: style.bold }));
  const body = Array.from({ length: rows }, (_, row) =>
    line(({ cells }) => ({
      text: cells[row]?.text ?? "",
      look: cells[row]?.isNull ? style.dim : (text) => text,
    })),
  );
  return [rule("┌", "┬", "┐"), header, rule("├", "┼", "┤"), ...body, rule("└", "┴", "┘")];
}

function footer(table: Table, options: TableOptions, shown: number, plan: ColumnPlan): string[] {
  const notes: string[] = [];
  const hidden = table.rows.length - shown;
  if (options.truncated) notes.push("… more rows");
  else if (hidden > 0) notes.push(`… ${groupDigits(hidden)} more row${hidden === 1 ? "" : "s"}`);
  if (plan.left > 0) notes.push(`… ${groupDigits(plan.left)} more column${plan.left === 1 ? "" : "s"}`);
  return notes;
}
