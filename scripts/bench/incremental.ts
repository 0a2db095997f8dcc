/**
 * What 1,000 changed orders cost, through silver and gold, in a shop of one and of a hundred sizes, beside dbt's
 * incremental models of the larger one, and a rebuild.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatDuration, groupDigits } from "../../jobs/terminal/numbers.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { type Bench, median, rounded, timed } from "./bench.ts";
import { againstDbt } from "./incremental-peer.ts";
import { BenchShop } from "./incremental-shop.ts";

const ORDERS = 10_000_000;
/** How many times more orders the large shop has. */
const SIZES = 100;
const MEMORY_MB = 2048;

export const incrementalBench: Bench = async ({ scale, rounds, say }) => {
  const orders = Math.max(500_000, Math.round(ORDERS * scale));
  const folder = await mkdtemp(join(tmpdir(), "ingot-bench-"));
  // What is kept of these tables goes with them.
  process.env.INGOT_CACHE = join(folder, "cache");
  const duckdb = await DuckDb.open({ memoryMb: MEMORY_MB, threads: 2 });
  try {
    const [small, large] = [
      new BenchShop(folder, duckdb, orders / SIZES),
      new BenchShop(folder, duckdb, orders),
    ];
    for (const [shop, size] of [
      [small, orders / SIZES],
      [large, orders],
    ] as const) {
      const { milliseconds } = await timed(() => shop.prepare());
      say(`${groupDigits(size)} orders loaded and built in ${formatDuration(milliseconds)}`);
    }
    const times = { small: [] as number[], large: [] as number[] };
    let changed = 0;
    // By turns, for the machine is not equally fast all the time; the first turn warms the process up.
    for (let round = 0; round <= rounds; round++) {
      for (const [name, shop] of Object.entries({ small, large })) {
        changed = await shop.change();
        const { result: anew, milliseconds } = await timed(() => shop.increment());
        if (anew.length > 0) throw new Error(`made anew: ${anew.join(", ")}`);
        if (round > 0) times[name as keyof typeof times].push(milliseconds);
        say(`round ${round}, ${name}: ${formatDuration(milliseconds)}`);
      }
    }
    const setting = { shop: large, folder, orders, duckdb, memoryMb: MEMORY_MB, rounds, say };
    const peer = await againstDbt(setting);
    const rebuild = await timed(() => large.rebuild());
    say(`rebuilt by DuckDB in ${formatDuration(rebuild.milliseconds)}`);
    const kept = await large.digest();
    if (kept !== rebuild.result) throw new Error(`kept:\n${kept}\nrebuilt:\n${rebuild.result}`);
    return {
      orders,
      changed,
      smallMs: Math.round(median(times.small)),
      largeMs: Math.round(median(times.large)),
      sizeRatio: rounded(median(times.large) / median(times.small)),
      rebuildMs: Math.round(rebuild.milliseconds),
      ...peer,
      rebuildSpeedup: rounded(rebuild.milliseconds / median(times.large)),
    };
  } finally {
    duckdb.close();
    await rm(folder, { recursive: true, force: true });
  }
};
