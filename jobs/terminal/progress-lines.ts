/** Tasks as lines of text. */
import { maskSecrets } from "../../lakehouse/secrets.ts";
import { compactCount, formatBytes, formatDuration, formatRate, groupDigits } from "./numbers.ts";
import { elapsed, rateOf, shareOf, type Task, timeLeft } from "./progress-tasks.ts";
import type { Style } from "./style.ts";
import { fitText, padEnd, padStart, printable, widthOf } from "./text.ts";

const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const BAR = 18;
/** A name is cut before the numbers beside it go. */
const NARROWEST_NAME = 16;
const NARROWEST_NOTE = 6;

/** Columns after the name, in the order in which they stand; a higher rank goes first where space is short. */
const COLUMNS = [
  { rank: 3, right: false, text: barText },
  { rank: 0, right: true, text: rowsText },
  { rank: 2, right: true, text: rateText },
  { rank: 4, right: true, text: (task: Task) => (task.bytes === undefined ? "" : formatBytes(task.bytes)) },
  {
    rank: 1,
    right: true,
    text: timeText,
  },
] as const;

/** One aligned line a task, none longer than `width`. */
export function liveLines(tasks: readonly Task[], now: number, width: number, style: Style): string[] {
  const cells = tasks.map((task) => COLUMNS.map((column) => column.text(task, now)));
  const widths = COLUMNS.map((_, i) => Math.max(0, ...cells.map((row) => widthOf(row[i] ?? ""))));
  const names = Math.max(0, ...tasks.map((task) => widthOf(printable(task.name))));
  const kept = keptColumns(widths, width - 2 - Math.min(Math.max(1, names), NARROWEST_NAME));
  const numbers = kept.reduce((sum, i) => sum + 2 + (widths[i] ?? 0), 0);
  const nameWidth = Math.max(1, Math.min(names, width - 2 - numbers));
  const rest = width - 2 - nameWidth - numbers - 2;
  return tasks.map((task, row) => {
    const name = padEnd(fitText(printable(task.name), nameWidth), nameWidth);
    const columns = kept.map((i) => {
      const text = cells[row]?.[i] ?? "";
      const padded = COLUMNS[i]?.right ? padStart(text, widths[i] ?? 0) : padEnd(text, widths[i] ?? 0);
      return `  ${i === 0 ? style.cyan(padded) : i === 1 ? padded : style.dim(padded)}`;
    });
    // With nothing in between, the note need not stand far from its task.
    const bare = cells[row]?.every((text) => text === "") ?? true;
    const room = bare ? width - nameWidth - 4 : rest;
    const note = task.note && room >= NARROWEST_NOTE ? `  ${style.dim(fitText(safe(task.note), room))}` : "";
    return `${symbol(task, now, style)} ${name}${bare ? "" : columns.join("")}${note}`.trimEnd();
  });
}

/** Which columns fit, by rank. */
function keptColumns(widths: readonly number[], available: number): number[] {
  const byRank = COLUMNS.map((column, i) => ({ rank: column.rank, i })).sort((a, b) => a.rank - b.rank);
  let rest = available;
  const kept: number[] = [];
  for (const { i } of byRank) {
    const wide = widths[i] ?? 0;
    if (wide === 0 || wide + 2 > rest) continue;
    rest -= wide + 2;
    kept.push(i);
  }
  return kept.sort((a, b) => a - b);
}

/** A line for a log: no symbols, nothing aligned. */
export function plainLine(task: Task, now: number): string {
  const share = shareOf(task);
  const facts = [
    task.rows === undefined
      ? ""
      : `${groupDigits(task.rows)} rows${share === undefined ? "" : ` (${percent(share)})`}`,
    rateText(task, now),
    task.bytes === undefined ? "" : formatBytes(task.bytes),
    timeText(task, now),
    task.note === undefined ? "" : safe(task.note),
  ].filter((fact) => fact !== "");
  return `${task.state} ${printable(task.name)}${facts.length === 0 ? "" : `: ${facts.join(", ")}`}`;
}

function symbol(task: Task, now: number, style: Style): string {
  switch (task.state) {
    case "running":
      return style.cyan(SPINNER[Math.floor(now / 100) % SPINNER.length] ?? "");
    case "done":
      return style.green("✓");
    case "skipped":
      return style.dim("–");
    case "failed":
      return style.red("✗");
  }
}

function barText(task: Task): string {
  const share = shareOf(task);
  if (share === undefined) return "";
  const filled = Math.round(share * BAR);
  return `${"━".repeat(filled)}${"╌".repeat(BAR - filled)} ${percent(share).padStart(4)}`;
}

function rowsText(task: Task): string {
  return task.rows === undefined ? "" : `${compactCount(task.rows)} rows`;
}

function rateText(task: Task, now: number): string {
  const rate = rateOf(task, now);
  return rate === undefined ? "" : formatRate(rate);
}

/** How long it has taken and, where that can be told, how long it will still take. */
function timeText(task: Task, now: number): string {
  if (quick(task)) return "";
  const left = timeLeft(task, now);
  return `${formatDuration(elapsed(task, now))}${left === undefined ? "" : `, ${formatDuration(left)} left`}`;
}

const percent = (share: number): string => `${Math.floor(share * 100)}%`;

/** Skipped at once: that it took no time need not be said. */
const quick = (task: Task): boolean => task.state === "skipped";

const safe = (text: string): string => printable(maskSecrets(text));
