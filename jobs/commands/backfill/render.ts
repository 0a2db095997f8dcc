/** What a backfill will do and what it did, as a terminal shows it. */

import type { BackfillReport } from "../../../layers/backfill/backfill.ts";
import type { BronzePlan, BronzeReport } from "../../../layers/backfill/backfill-bronze.ts";
import type { BackfillPlan } from "../../../layers/backfill/plan.ts";
import { formatBytes, formatDuration, groupDigits } from "../../terminal/numbers.ts";
import { styleFor } from "../../terminal/style.ts";
import { printable } from "../../terminal/text.ts";
import type { BackfillOptions } from "./options.ts";

type Pace = Pick<BackfillOptions, "concurrency" | "pause">;

/** How hard it will work, where that is said. */
function paceText(
  { concurrency = 1, pause = 0, maxMbPerSecond = null }: Pace & { readonly maxMbPerSecond?: number | null },
  noun: string,
): string {
  const said = [
    concurrency > 1 ? `${concurrency} ${noun}` : "",
    maxMbPerSecond === null ? "" : `at most ${maxMbPerSecond} MB/s`,
    pause > 0 ? `${formatDuration(pause * 1000)} of rest after each` : "",
  ];
  return said.map((text) => (text === "" ? "" : `, ${text}`)).join("");
}

/** The plan, a line each for what is made, how, from what, and who notices. */
export function renderPlan(pipeline: string, plan: BackfillPlan, pace: Pace): string {
  const style = styleFor();
  const { chunks, chunk, until, downstream } = plan;
  const pieces = `${count(chunks.length, "chunk")}${chunk === null ? "" : ` of ${chunk}`}${paceText(pace, "at once")}`;
  const lines = [
    `${style.bold(printable(`${pipeline}.${plan.model}`))} (${plan.kind}), ${plan.column} from ${plan.from} to before ${plan.to}`,
    `  makes   ${pieces}; the table has ${count(plan.rows, "row")} there`,
    ...(until === null
      ? []
      : [`  goes on at ${until}: an interrupted run made what is before (--anew begins again)`]),
    ...plan.reads.map(
      ({ table, version, rows, bytes, times }) =>
        `  reads   ${table} at version ${version}: ${count(rows, "row")}, ${formatBytes(bytes)}${times > 1 ? `, ${times} times` : ""}`,
    ),
    then(downstream),
    ...plan.notices.map((notice) => `  ${style.yellow("note")}    ${notice}`),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

export function renderReport(pipeline: string, report: BackfillReport, durationMs: number): string {
  const { model, chunks, rowsIn, rowsOut, version } = report;
  const made = `${count(chunks, "chunk")} of ${pipeline}.${model} in ${formatDuration(durationMs)}`;
  const changed = `${groupDigits(rowsOut)} of ${count(rowsIn, "row")} written, version ${version}`;
  return `${made}: ${changed}\n`;
}

export function renderBronzePlan(pipeline: string, plan: BronzePlan, pace: Pace): string {
  const style = styleFor();
  const { table, column, from, to, chunk, chunks, until, downstream, rows, bytes } = plan;
  const lines = [
    `${style.bold(printable(`${pipeline}.${table}`))}, ${printable(column)} from ${from} to before ${to}`,
    `  reads   about ${count(rows, "row")}, ${formatBytes(bytes)} from the source, in ${count(chunks.length, "chunk")}${chunk === null ? "" : ` of ${chunk}`}${paceText({ ...pace, concurrency: plan.readers, maxMbPerSecond: plan.megabytesPerSecond }, "connections")}`,
    ...(until === null
      ? []
      : [`  goes on at ${until}: an interrupted run read what is before (--anew begins again)`]),
    "  appends rows that bronze has otherwise, and deletions of those that are gone",
    then(downstream),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

export function renderBronzeReport(pipeline: string, report: BronzeReport, durationMs: number): string {
  const { table, chunks, rowsIn, rowsOut, left, version } = report;
  const made = `${count(chunks, "chunk")} of ${pipeline}.${table} in ${formatDuration(durationMs)}`;
  const later = left > 0 ? `; ${count(left, "row")} changed meanwhile and came as changes` : "";
  return `${made}: ${count(rowsIn, "row")} read, ${groupDigits(rowsOut)} appended, version ${version}${later}\n`;
}

const then = (downstream: readonly string[]): string =>
  `  then    ${downstream.length === 0 ? "nothing reads it" : `${downstream.join(", ")} take in what changes, at the next build`}`;

const count = (n: number, noun: string) => `${groupDigits(n)} ${noun}${n === 1 ? "" : "s"}`;
