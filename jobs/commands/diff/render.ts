/** The difference of two tables as a terminal shows it. */

import type { Difference } from "../../../layers/diff/diff.ts";
import { groupDigits } from "../../terminal/numbers.ts";
import { type Style, styleFor } from "../../terminal/style.ts";
import { renderTable } from "../../terminal/table.ts";
import { terminalWidth } from "../../terminal/terminal-size.ts";
import { printable } from "../../terminal/text.ts";

/** Counts first, then what differs in columns, then rows that one side alone has. */
export function renderDifference(found: Difference): string {
  const style = styleFor();
  const { left, right, rate, key } = found;
  const how = key.length === 0 ? "rows by what they hold" : `by ${key.join(", ")}`;
  const sampled =
    rate < 1 ? `, ${Number((rate * 100).toPrecision(6))} % of ${key.length === 0 ? "rows" : "keys"}` : "";
  const lines = [
    `${style.bold(printable(left))} and ${style.bold(printable(right))}, ${printable(how)}${sampled}`,
    ...found.schema.map(
      ({ column, left: a, right: b }) =>
        `  column ${printable(`${column}: ${a ?? "absent"} → ${b ?? "absent"}`)}`,
    ),
    "",
    ...counts(found),
  ];
  return `${lines.join("\n")}\n${columns(found)}${examples(found, style)}${
    found.isSame ? style.green("No difference") : style.red("They differ")
  }\n`;
}

function counts({
  left,
  right,
  leftRows,
  rightRows,
  same,
  different,
  onlyLeft,
  onlyRight,
  key,
}: Difference): string[] {
  const lines: [string, number][] = [
    [`rows of ${left}`, leftRows],
    [`rows of ${right}`, rightRows],
    ["the same", same],
    ...(key.length > 0 ? [["same key, other values", different] satisfies [string, number]] : []),
    [`only in ${left}`, onlyLeft],
    [`only in ${right}`, onlyRight],
  ];
  const width = Math.max(...lines.map(([text]) => printable(text).length));
  const digits = Math.max(...lines.map(([, n]) => groupDigits(n).length));
  return lines.map(([text, n]) => `  ${printable(text).padEnd(width)}  ${groupDigits(n).padStart(digits)}`);
}

/** A line for each example, the column's count with its first. */
function columns({ columns: found, left, right }: Difference): string {
  if (found.length === 0) return "";
  const rows = found.flatMap(({ column, rows: n, examples: list }) =>
    list.length === 0
      ? [[column, n, "", "", ""]]
      : list.map((one, i) => [i === 0 ? column : "", i === 0 ? n : null, one.key, one.left, one.right]),
  );
  const names = [
    { name: "column" },
    { name: "rows", type: "BIGINT" },
    { name: "key" },
    { name: left },
    { name: right },
  ];
  const cells = rows.map(([column, n, ...rest]) => [
    column,
    n === null ? "" : groupDigits(Number(n)),
    ...rest,
  ]);
  return `\n${renderTable({ columns: names, rows: cells }, { width: terminalWidth(process.stdout, 160) })}\n`;
}

function examples({ left, right, onlyLeftExamples, onlyRightExamples }: Difference, style: Style): string {
  const block = (label: string, rows: readonly string[]) =>
    rows.length === 0
      ? ""
      : `\n${style.bold(printable(`only in ${label}`))}\n${rows.map((row) => `  ${printable(row)}\n`).join("")}`;
  return `${block(left, onlyLeftExamples)}${block(right, onlyRightExamples)}\n`;
}
