/** Merging 100,000 changed rows into 10,000,000: Ingot, with deletion vectors and without, against delta-rs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatDuration, groupDigits } from "../../jobs/terminal/numbers.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { type Bench, type ChildResult, median, rounded, runChild } from "./bench.ts";
import { type DeltalakeResult, findDeltalake, mergeWithDeltalake } from "./deltalake.ts";
import { MergeTables } from "./merge-tables.ts";

const ROWS = 10_000_000;
/** How many times fewer rows a merge changes than the table has: usually, and in a large one. */
const [SHARE, LARGE_SHARE] = [100, 2];
/** Tables of one and of a hundred sizes, and the rows that a small merge brings. */
const [SIZES, SMALL_ROWS] = [100, 1000];
const MEMORY_MB = 1024;
const CHILD = new URL("./merge-child.js", import.meta.url);

type Kind = "vectors" | "rewrite" | "deltalake";

export const mergeBench: Bench = async ({ scale, rounds, say }) => {
  const rows = Math.max(100_000, Math.round(ROWS * scale));
  const folder = await mkdtemp(join(tmpdir(), "ingot-bench-"));
  // What is kept of these tables goes with them.
  process.env.INGOT_CACHE = join(folder, "cache");
  const tables = new MergeTables(folder, await DuckDb.open({ memoryMb: 4096, threads: 2 }));
  try {
    say(`writing tables of ${groupDigits(rows)} rows`);
    await tables.prepare("large", rows);
    await tables.prepare("small", Math.round(rows / SIZES));
    return {
      rows,
      ...(await against(tables, rows, rounds, say)),
      ...(await largeMerge(tables, rows, say)),
      ...(await sizes(tables, rows, rounds, say)),
    };
  } finally {
    tables.duckdb.close();
    await rm(folder, { recursive: true, force: true });
  }
};

async function against(tables: MergeTables, rows: number, rounds: number, say: (line: string) => void) {
  const keys = Math.round(rows / SHARE);
  const source = await tables.source(rows, keys);
  const python = findDeltalake();
  if (python === undefined)
    say("delta-rs is not installed (scripts/interop/install.sh): measured without it");
  const kinds: readonly Kind[] = [
    "vectors",
    "rewrite",
    ...(python === undefined ? [] : ["deltalake" as const]),
  ];
  const results: Record<Kind, DeltalakeResult[]> = { vectors: [], rewrite: [], deltalake: [] };
  for (let round = 1; round <= rounds; round++) {
    for (const kind of kinds) {
      const place = await tables.copy(`large-${kind === "vectors" ? "vectors" : "rewrite"}`, kind);
      const result =
        kind === "deltalake"
          ? await mergeWithDeltalake(python ?? "", place, source)
          : timeOf(await runChild(CHILD, [String(MEMORY_MB), place, source]));
      await tables.check(place, rows, keys);
      results[kind].push(result);
      say(
        `round ${round}, ${kind}: ${formatDuration(result.milliseconds)}, peak ${result.peakMemoryMb.toFixed(0)} MB`,
      );
    }
  }
  const figures: Record<string, number> = { updates: keys };
  const time = (kind: Kind) => median(results[kind].map((result) => result.milliseconds));
  const memory = (kind: Kind) => median(results[kind].map((result) => result.peakMemoryMb));
  for (const kind of kinds) {
    figures[`${kind}Ms`] = Math.round(time(kind));
    figures[`${kind}PeakMb`] = Math.round(memory(kind));
  }
  if (python === undefined) return figures;
  // Of neighbours in time: the machine is not equally fast all the time.
  const speedup = (kind: Kind) =>
    median(
      results[kind].map((own, i) => (results.deltalake[i]?.milliseconds ?? Number.NaN) / own.milliseconds),
    );
  return {
    ...figures,
    speedup: rounded(speedup("vectors")),
    memoryShare: rounded(memory("vectors") / memory("deltalake")),
    rewriteSpeedup: rounded(speedup("rewrite")),
    rewriteMemoryShare: rounded(memory("rewrite") / memory("deltalake")),
  };
}

/** A merge that changes half of the table, with the engine bounded: it has to end. */
async function largeMerge(tables: MergeTables, rows: number, say: (line: string) => void) {
  const keys = Math.round(rows / LARGE_SHARE);
  const source = await tables.source(rows, keys);
  const figures: Record<string, number> = { largeUpdates: keys, engineMemoryMb: MEMORY_MB };
  for (const kind of ["vectors", "rewrite"] as const) {
    const place = await tables.copy(`large-${kind}`, kind);
    const result = timeOf(await runChild(CHILD, [String(MEMORY_MB), place, source]));
    await tables.check(place, rows, keys);
    figures[`${kind}LargeMs`] = Math.round(result.milliseconds);
    figures[`${kind}LargePeakMb`] = Math.round(result.peakMemoryMb);
    say(
      `${groupDigits(keys)} updates, ${kind}: ${formatDuration(result.milliseconds)}, peak ${result.peakMemoryMb.toFixed(0)} MB`,
    );
  }
  return figures;
}

/** The same small merge into tables of two sizes, by turns, in one process each round. */
async function sizes(tables: MergeTables, rows: number, rounds: number, say: (line: string) => void) {
  const keys = Math.min(SMALL_ROWS, rows / SIZES);
  const both = [
    { name: "small", rows: Math.round(rows / SIZES) },
    { name: "large", rows },
  ];
  const figures: Record<string, number> = {};
  for (const kind of ["vectors", "rewrite"] as const) {
    const times: Record<string, number[]> = { small: [], large: [] };
    for (let round = 1; round <= rounds; round++) {
      const places: string[] = [];
      // The first pair warms the process up.
      for (const pair of [0, 1, 2]) {
        for (const table of both) {
          places.push(await tables.copy(`${table.name}-${kind}`, `${table.name}-${pair}`));
          places.push(await tables.source(table.rows, keys));
        }
      }
      const result = await runChild(CHILD, [String(MEMORY_MB), ...places]);
      for (const [i, table] of [...both, ...both].entries()) {
        times[table.name]?.push(result.figures[`merge${i + both.length}Ms`] ?? Number.NaN);
      }
    }
    const [small, large] = [median(times.small ?? []), median(times.large ?? [])];
    const name = kind === "vectors" ? "sizeRatio" : "rewriteSizeRatio";
    figures[name] = rounded(large / small);
    figures[`${kind}SmallTableMs`] = rounded(small);
    figures[`${kind}LargeTableMs`] = rounded(large);
    say(
      `${groupDigits(keys)} rows into ${groupDigits(rows)}, ${kind}: ${formatDuration(large)}, into ${groupDigits(Math.round(rows / SIZES))}: ${formatDuration(small)}`,
    );
  }
  return figures;
}

function timeOf(result: ChildResult): DeltalakeResult {
  return { ...result, milliseconds: result.figures.merge0Ms ?? Number.NaN };
}
