/** How table commands print: one JSON value where it is asked for, else tables and lines for people. */

import type { GlobalOptions } from "../../runtime.ts";
import { jsonText } from "../../terminal/json-text.ts";
import { groupDigits } from "../../terminal/numbers.ts";
import { renderTable, type Table } from "../../terminal/table.ts";
import { terminalWidth } from "../../terminal/terminal-size.ts";

/** Prints a result: as JSON, or as the text that `render` makes of it. */
export function printResult<T>(options: GlobalOptions, result: T, render: (result: T) => string): void {
  process.stdout.write(options.json ? `${jsonText(result)}\n` : render(result));
}

/** A table as wide as the terminal, ended by a line break; piped, it has room. */
export function tableText(table: Table): string {
  return `${renderTable(table, { width: terminalWidth(process.stdout, 160) })}\n`;
}

/** `1 file`, `1,234 files`. */
export function counted(count: number, noun: string): string {
  return `${groupDigits(count)} ${noun}${count === 1 ? "" : "s"}`;
}
