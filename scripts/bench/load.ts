/** The historical load of one table, against COPY of the same table to nowhere. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "../../jobs/embedded/postgres.ts";
import { formatBytes, formatDuration, groupDigits } from "../../jobs/terminal/numbers.ts";
import { type Bench, type ChildResult, median, runChild } from "./bench.ts";

const ROWS = 5_000_000;
const CHILD = new URL("./load-child.js", import.meta.url);

/** Orders as the commerce pipeline has them, made in the server. */
const TABLE_SQL = `
  CREATE TABLE orders (
    id bigint PRIMARY KEY, cart_id bigint NOT NULL, user_id bigint NOT NULL, status text NOT NULL,
    total numeric(12,2) NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL)`;
const FILL_SQL = `
  INSERT INTO orders
  SELECT g, g * 2, (g * 7919) % 20000 + 1,
         (ARRAY['pending', 'paid', 'shipped', 'delivered', 'cancelled', 'refunded'])[g % 6 + 1],
         ((g * 104729) % 100000) / 100.0 + 1,
         timestamptz '2025-01-01' + g * interval '10 seconds', timestamptz '2025-01-02' + g * interval '10 seconds'
    FROM generate_series(1, $1::bigint) g`;

export const loadBench: Bench = async ({ scale, rounds, say }) => {
  const rows = Math.max(1000, Math.round(ROWS * scale));
  const folder = await mkdtemp(join(tmpdir(), "ingot-bench-"));
  const settings = { fsync: "off", full_page_writes: "off", max_wal_size: "8GB", shared_buffers: "256MB" };
  const server = await startPostgres({ folder: join(folder, "postgres"), settings });
  try {
    say(`filling ${groupDigits(rows)} orders`);
    const bytes = await fill(server.connectionString, rows);
    const copies: ChildResult[] = [];
    const loads: ChildResult[] = [];
    const ratios: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const copy = await runChild(CHILD, ["copy", server.connectionString, folder]);
      const load = await runChild(CHILD, ["load", server.connectionString, join(folder, `lake-${round}`)]);
      if (load.rows !== rows) throw new Error(`loaded ${load.rows} of ${rows} rows`);
      copies.push(copy);
      loads.push(load);
      ratios.push(load.milliseconds / copy.milliseconds);
      say(
        `round ${round}: COPY to nowhere ${formatDuration(copy.milliseconds)}, load ${formatDuration(load.milliseconds)}, ratio ${(load.milliseconds / copy.milliseconds).toFixed(2)}, peak ${load.peakMemoryMb.toFixed(0)} MB`,
      );
      await rm(join(folder, `lake-${round}`), { recursive: true, force: true });
    }
    const loadMs = median(loads.map((r) => r.milliseconds));
    const figures = {
      rows,
      copyRatio: Number(median(ratios).toFixed(3)),
      peakMemoryMb: Math.round(Math.max(...loads.map((r) => r.peakMemoryMb))),
      loadMs: Math.round(loadMs),
      copyMs: Math.round(median(copies.map((r) => r.milliseconds))),
      rowsPerSecond: Math.round((rows / loadMs) * 1000),
    };
    say(
      `${groupDigits(rows)} rows (${formatBytes(bytes)} in Postgres): copyRatio ${figures.copyRatio}, peak ${figures.peakMemoryMb} MB, ${groupDigits(figures.rowsPerSecond)} rows/s`,
    );
    return figures;
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

/** Fills the table and answers its size in bytes. */
async function fill(connectionString: string, rows: number): Promise<number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(TABLE_SQL);
    await client.query(FILL_SQL, [rows]);
    await client.query("VACUUM (ANALYZE, FREEZE) orders");
    await client.query("CHECKPOINT");
    const { rows: sizes } = await client.query<{ bytes: string }>(
      "SELECT pg_table_size('orders')::text AS bytes",
    );
    return Number(sizes[0]?.bytes);
  } finally {
    await client.end();
  }
}
