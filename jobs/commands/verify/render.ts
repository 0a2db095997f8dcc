/** The result of a verification as a terminal shows it. */

import type { TableVerification } from "../../../layers/bronze/verify/report.ts";
import { formatBytes, formatDuration, groupDigits } from "../../terminal/numbers.ts";
import { styleFor } from "../../terminal/style.ts";
import { renderTable } from "../../terminal/table.ts";
import { terminalWidth } from "../../terminal/terminal-size.ts";
import { printable } from "../../terminal/text.ts";

export interface VerifiedTable extends TableVerification {
  readonly pipeline: string;
}

/** Ranges that are listed for each table; `--json` has all. */
const MOST_RANGES = 10;

/** One line a table, then what differs in it. */
export function renderVerification(tables: readonly VerifiedTable[]): string {
  const columns = [
    { name: "table" },
    { name: "status" },
    { name: "source rows", type: "BIGINT" },
    { name: "lake rows", type: "BIGINT" },
    { name: "missing", type: "BIGINT" },
    { name: "extra", type: "BIGINT" },
    { name: "different", type: "BIGINT" },
    { name: "repaired", type: "BIGINT" },
    { name: "ranges" },
    { name: "read" },
    { name: "time" },
  ];
  const rows = tables.map((t) => [
    `${t.pipeline}.${t.table}`,
    t.status,
    t.sourceRows,
    t.lakeRows,
    t.missing,
    t.extra,
    t.different,
    t.repaired,
    t.differing.length === 0 ? `${t.ranges}` : `${t.differing.length} of ${t.ranges} differ`,
    formatBytes(t.bytes),
    formatDuration(t.durationMs),
  ]);
  const summary = renderTable({ columns, rows }, { width: terminalWidth(process.stdout, 160) });
  return `${summary}\n${tables.map(renderDetails).join("")}${renderVerdict(tables)}`;
}

function renderDetails(table: VerifiedTable): string {
  const style = styleFor();
  const lines: string[] = [];
  for (const { from, to, missing, extra, different } of table.differing.slice(0, MOST_RANGES)) {
    const counts = [
      ...(missing > 0 ? [`${groupDigits(missing)} missing`] : []),
      ...(extra > 0 ? [`${groupDigits(extra)} extra`] : []),
      ...(different > 0 ? [`${groupDigits(different)} different`] : []),
    ];
    lines.push(`${rangeText(from, to)}: ${counts.join(", ")}`);
  }
  const more = table.differing.length - MOST_RANGES;
  if (more > 0) lines.push(`and ${groupDigits(more)} more ranges; --json lists them`);
  if (table.examples.length > 0) lines.push(`for example ${table.examples.join(" ")}`);
  for (const { column, source, lake } of table.drifted) {
    lines.push(
      `not compared: column ${column}, ${source ?? "absent"} at the source, ${lake ?? "absent"} in the lake`,
    );
  }
  if (lines.length === 0) return "";
  const name = style.bold(printable(`${table.pipeline}.${table.table}`));
  return `${name}\n${lines.map((line) => `  ${printable(line)}\n`).join("")}`;
}

function rangeText(from: string | null, to: string | null): string {
  if (from === null && to === null) return "whole table";
  if (from === null) return `keys before ${to}`;
  return to === null ? `keys from ${from}` : `keys from ${from} to before ${to}`;
}

function renderVerdict(tables: readonly VerifiedTable[]): string {
  const style = styleFor();
  const differing = tables.filter(({ status }) => status === "different");
  if (differing.length > 0) {
    const extra = differing.some((table) => table.extra > 0)
      ? '\nRows that are gone at the source stay in the lake unless changes: "wal" or deletes: "compare" is set.'
      : "";
    return `${style.red(`${differing.length} of ${tables.length} differ`)}; \`ingot verify --repair\` takes what differs.${extra}\n`;
  }
  const repaired = tables.filter(({ status }) => status === "repaired").length;
  return `${style.green(repaired > 0 ? "The lake agrees with the source again" : "The lake agrees with the source")}\n`;
}
