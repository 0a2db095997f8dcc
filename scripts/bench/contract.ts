/**
 * Checking 10,000,000 rows of twelve columns against twenty rules: what it adds to writing them, and how it compares
 * with zod row by row.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatDuration, groupDigits } from "../../jobs/terminal/numbers.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { compileContract } from "../../layers/contract/compile.ts";
import { type Bench, type ChildResult, median, rounded, runChild } from "./bench.ts";
import { checkedOrders, checkedOrdersSql } from "./checked-orders.ts";

const ROWS = 10_000_000;
/** Rows that zod is given. */
const SAMPLE = 200_000;
const CHILD = new URL("./contract-child.js", import.meta.url);

const MODES = ["plain", "checked", "sql", "zod"] as const;
type Mode = (typeof MODES)[number];

export const contractBench: Bench = async ({ scale, rounds, say }) => {
  const rows = Math.max(50_000, Math.round(ROWS * scale));
  const sample = Math.min(SAMPLE, rows);
  const folder = await mkdtemp(join(tmpdir(), "ingot-bench-"));
  try {
    say(`writing ${groupDigits(rows)} rows`);
    await writeRows(join(folder, "rows.parquet"), rows);
    const results: Record<Mode, ChildResult[]> = { plain: [], checked: [], sql: [], zod: [] };
    for (let round = 1; round <= rounds; round++) {
      for (const mode of MODES) {
        const result = await runChild(CHILD, [mode, folder, String(sample)]);
        const wanted = mode === "zod" ? sample : rows;
        if (result.rows !== wanted)
          throw new Error(`${mode}: ${result.rows} rows of ${wanted} keep the contract`);
        results[mode].push(result);
        say(
          `round ${round}, ${mode}: ${formatDuration(workMs(result))}, ${groupDigits(result.rows)} rows, peak ${result.peakMemoryMb.toFixed(0)} MB`,
        );
      }
    }
    const time = (mode: Mode) => median(results[mode].map(workMs));
    const peak = (mode: Mode) => Math.round(median(results[mode].map((result) => result.peakMemoryMb)));
    // Of neighbours in time: the machine is not equally fast all the time.
    const ratio = (mode: Mode, to: Mode, of = workMs) =>
      median(results[mode].map((result, i) => of(result) / workMs(results[to][i])));
    const perRow = rows / sample;
    return {
      rows,
      columns: Object.keys(checkedOrders.columns).length,
      rules: compileContract(checkedOrders).rules.length,
      copyRatio: rounded(ratio("checked", "plain")),
      // Both from the file to a verdict.
      zodSpeedup: rounded(ratio("zod", "sql") * perRow),
      // zod is given objects; SQL still reads the file.
      zodParseSpeedup: rounded(ratio("zod", "sql", parseMs) * perRow),
      plainMs: Math.round(time("plain")),
      checkedMs: Math.round(time("checked")),
      sqlMs: Math.round(time("sql")),
      zodMsPerMillion: Math.round((time("zod") * 1_000_000) / sample),
      zodParseMsPerMillion: Math.round((median(results.zod.map(parseMs)) * 1_000_000) / sample),
      plainPeakMb: peak("plain"),
      checkedPeakMb: peak("checked"),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const workMs = (result: ChildResult | undefined) => result?.figures.workMs ?? Number.NaN;
const parseMs = (result: ChildResult | undefined) => result?.figures.parseMs ?? Number.NaN;

async function writeRows(file: string, rows: number): Promise<void> {
  const duckdb = await DuckDb.open({ memoryMb: 2048, threads: 2 });
  try {
    await duckdb.rows(
      `COPY (${checkedOrdersSql(rows)}) TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd)`,
    );
  } finally {
    duckdb.close();
  }
}
