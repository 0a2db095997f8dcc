/** A trace as a terminal shows it: a tree of tables, under each some of its rows. */

import type { BronzeOrigin, FoundBy, PublishedState, TracedTable } from "../../../layers/trace/traced.ts";
import { formatCell } from "../../terminal/cell.ts";
import { groupDigits } from "../../terminal/numbers.ts";
import { type Style, styleFor } from "../../terminal/style.ts";
import { renderTable } from "../../terminal/table.ts";
import { terminalWidth } from "../../terminal/terminal-size.ts";
import { printable } from "../../terminal/text.ts";

interface ShownTrace {
  readonly pipeline: string;
  readonly root: TracedTable;
  readonly published: readonly PublishedState[];
}

const WORDS: Readonly<Record<FoundBy, (by: string) => string>> = {
  asked: () => "asked for",
  groups: (by) => `rows of the groups (${by})`,
  key: (by) => `all changes of the key (${by}), the newest first`,
  lineage: (by) => `rows with the same ${by}; the SQL may read others too`,
  table: () => "the SQL may read all of its rows",
};

export function renderTrace({ root, published, pipeline }: ShownTrace): string {
  const style = styleFor();
  const lines: string[] = [];
  for (const state of published) lines.push(...publishedLines(state, root, style));
  if (published.length > 0) lines.push("");
  draw(root, "", "", style, lines);
  lines[lines.length] = style.dim(`pipeline ${printable(pipeline)}`);
  return `${lines.join("\n")}\n`;
}

function publishedLines(
  { set, target, version, publishedAt, rows, error }: PublishedState,
  root: TracedTable,
  style: Style,
): string[] {
  const head = `${style.bold("published")} as ${printable(set)}`;
  if (error !== null) return [`${head}: ${style.yellow(printable(`${target} ${error}`.trim()))}`];
  if (version === null) return [`${head}: nothing yet in ${printable(target)}`];
  const which = version === root.version ? "this version" : `version ${version}, not the one below`;
  return [
    `${head}: ${which}, since ${printable(publishedAt ?? "?")}, in ${printable(target)}`,
    ...rows.map((row) => `  ${printable(JSON.stringify(row))}`),
  ];
}

function draw(node: TracedTable, first: string, rest: string, style: Style, lines: string[]): void {
  const { table, version, foundBy, by, rows, notes, position } = node;
  const counted = foundBy === "table" ? "" : `, ${groupDigits(rows)} ${rows === 1 ? "row" : "rows"}`;
  lines.push(
    `${style.dim(first)}${style.bold(printable(table))} at version ${version}${counted}: ${WORDS[foundBy](printable(by.join(", ")))}`,
  );
  const bar = node.inputs.length > 0 ? `${rest}│ ` : `${rest}  `;
  const say = (text: string) => lines.push(`${style.dim(bar)}${text}`);
  if (position)
    say(
      `source taken up to ${position.lsn} (${position.changes === "wal" ? "captured from the WAL" : "asked by query"})${position.at === null ? "" : `, as of ${printable(position.at)}`}`,
    );
  for (const note of notes) say(style.yellow(printable(note)));
  if (node.shown.length > 0) for (const line of rowsTable(node, bar.length).split("\n")) say(line);
  node.inputs.forEach((input, i) => {
    const last = i === node.inputs.length - 1;
    draw(input, `${rest}${last ? "└─ " : "├─ "}`, `${rest}${last ? "   " : "│  "}`, style, lines);
  });
}

function rowsTable({ columns, shown, origins, rows }: TracedTable, indent: number): string {
  const width = Math.max(40, terminalWidth(process.stdout, 160) - indent - 1);
  const more = origins === undefined ? [] : ORIGIN.map(([name]) => ({ name }));
  const cells = shown.map((row, i) => {
    const origin = origins?.[i];
    return [...(origin ? ORIGIN.map(([, text]) => text(origin)) : []), ...row.map(cell)];
  });
  const table = renderTable(
    { columns: [...more, ...columns.map((name) => ({ name }))], rows: cells },
    { width },
  );
  const left = rows - shown.length;
  return left > 0 ? `${table}\n… ${groupDigits(left)} more rows` : table;
}

/** Instants without the zeros behind their seconds. */
const cell = (value: unknown): string =>
  formatCell(value, typeof value === "string" && /T\d\d:\d\d:\d\d\.\d{6}Z?$/.test(value) ? "TIMESTAMP" : "");

const ORIGIN: readonly (readonly [name: string, text: (origin: BronzeOrigin) => string])[] = [
  ["op", ({ operation }) => operation],
  ["lsn", ({ lsn }) => lsn],
  [
    "committed",
    ({ committedAt, ingestedAt }) =>
      committedAt === null ? `read ${cell(ingestedAt ?? "")}` : cell(committedAt),
  ],
  ["version", ({ version, isJoined }) => `${version ?? "?"}${isJoined ? " (joined)" : ""}`],
  ["file", ({ file }) => file],
];
