import { createWriter } from "./formats.ts";
import { formatDuration, groupDigits } from "./numbers.ts";
import { planText } from "./plan.ts";
import type { PromptMode } from "./prompt-commands.ts";
import type { QueryResult } from "./result.ts";
import { renderTable } from "./table.ts";

/** More rows on a screen are scrolled past, not read. */
const ROWS_ON_SCREEN = 100;

/** A result as the prompt shows it, piece by piece; each ends its lines. */
export function* showResult(
  result: QueryResult,
  mode: PromptMode,
  look: { readonly width: number; readonly color: boolean },
): Generator<string> {
  if (result.columns.length === 0) return;
  if (mode === "table") {
    const truncated = result.truncated === true;
    yield `${planText(result) ?? renderTable(result, { ...look, maxRows: ROWS_ON_SCREEN, truncated })}\n`;
    return;
  }
  const writer = createWriter(mode, result.columns);
  yield writer.head();
  for (const row of result.rows) yield writer.row(row);
  yield writer.tail();
}

/** `3 rows · 12 ms`. */
export function summaryOf(result: QueryResult, milliseconds: number): string {
  const count = result.rows.length;
  const rows = `${result.truncated ? "first " : ""}${groupDigits(count)} row${count === 1 ? "" : "s"}`;
  return `${result.columns.length === 0 ? "done" : rows} · ${formatDuration(milliseconds)}`;
}
