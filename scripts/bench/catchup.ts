/** Catching up on 1,000 new rows, with few and with many rows behind them. */
import { join } from "node:path";
import { groupDigits } from "../../jobs/terminal/numbers.ts";
import { type Bench, median, rounded, runChild } from "./bench.ts";
import { startOrders } from "./postgres-orders.ts";

const SMALL = 100_000;
const BIG = 20_000_000;
const NEW_ROWS = 1_000;
const CHILD = new URL("./cdc-child.js", import.meta.url);

export const catchupBench: Bench = async ({ scale, rounds, say }) => {
  const sizes = [SMALL, Math.max(SMALL * 2, Math.round(BIG * scale))];
  const times: number[][] = [];
  let peakMemoryMb = 0;
  for (const size of sizes) {
    const server = await startOrders();
    try {
      for (let first = 1; first <= size; first += 1_000_000) {
        await server.insert(first, Math.min(size, first + 999_999));
      }
      await server.client.query("CHECKPOINT");
      const lake = join(server.folder, "lake");
      const load = await runChild(CHILD, ["load", server.connectionString, lake]);
      if (load.rows !== size) throw new Error(`loaded ${load.rows} of ${size} rows`);
      const taken: number[] = [];
      for (let round = 0; round < Math.max(5, rounds); round++) {
        await server.insert(size + round * NEW_ROWS + 1, size + (round + 1) * NEW_ROWS);
        const sync = await runChild(CHILD, ["sync", server.connectionString, lake]);
        if (sync.rows !== NEW_ROWS) throw new Error(`captured ${sync.rows} of ${NEW_ROWS} rows`);
        taken.push(sync.milliseconds);
        peakMemoryMb = Math.max(peakMemoryMb, sync.peakMemoryMb);
      }
      say(`${groupDigits(size)} rows: ${NEW_ROWS} more in ${Math.round(median(taken))} ms`);
      times.push(taken);
    } finally {
      await server.end();
    }
  }
  const [small = [], big = []] = times;
  return {
    smallMs: Math.round(median(small)),
    bigMs: Math.round(median(big)),
    sizeRatio: rounded(median(big) / median(small)),
    peakMemoryMb: Math.round(peakMemoryMb),
  };
};
