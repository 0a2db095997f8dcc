/** The doctor's findings as lines for a terminal. */
import type { Style } from "../terminal/style.ts";
import { padEnd, printable, printableLines, widthOf } from "../terminal/text.ts";
import type { CheckResult } from "./check.ts";

/** Wide enough for most tables with their schema. */
const NAME_WIDTH = 26;
/** Mark, space, name, space. */
const INDENT = " ".repeat(NAME_WIDTH + 3);

/** One check: mark, name, what was found, and below it how to fix what is amiss. */
export function renderCheck({ name, status, found, fix }: CheckResult, style: Style): string {
  const mark = {
    ok: style.green("✔"),
    warning: style.yellow("!"),
    failed: style.red("✖"),
    skipped: style.dim("–"),
  }[status];
  const shown = printable(name);
  // A long name gets a line to itself, so that what was found stays in its column.
  const gap = widthOf(shown) > NAME_WIDTH ? `\n${INDENT}` : " ";
  const text = printableLines(found).replaceAll("\n", `\n${INDENT}`);
  const line = `${mark} ${padEnd(shown, NAME_WIDTH)}${gap}${status === "skipped" ? style.dim(text) : text}\n`;
  if (fix === undefined) return line;
  const advice = printableLines(fix).replaceAll("\n", `\n${INDENT}    `);
  return `${line}${INDENT}${style.cyan("fix")} ${advice}\n`;
}

/** The last line: how many checks failed, how many warn. */
export function renderSummary(results: readonly CheckResult[], style: Style): string {
  const count = (status: CheckResult["status"]) =>
    results.filter((result) => result.status === status).length;
  const [failures, warnings] = [count("failed"), count("warning")];
  const warned = `${warnings} ${warnings === 1 ? "warning" : "warnings"}`;
  if (failures > 0) return `\n${style.red(`${failures} failed`)}${warnings > 0 ? `, ${warned}` : ""}\n`;
  return `\n${style.green("Ready")}${warnings > 0 ? `, with ${warned}` : ""}\n`;
}
