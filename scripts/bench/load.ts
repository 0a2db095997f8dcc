/**
 * The historical load of one table, against COPY of the same table to nowhere and against other tools; its memory with
 * a small and a large table, and the longest statement that it ran on the source.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { formatBytes, formatDuration, groupDigits } from "../../jobs/terminal/numbers.ts";
import { type Bench, type ChildResult, median, rounded, runChild, timed } from "./bench.ts";
import { LoadPeers } from "./load-peers.ts";
import { watchingStatements } from "./load-statements.ts";
import { type OrdersServer, startOrders } from "./postgres-orders.ts";

/** Rows whose load is timed, and of a small and a large table whose loads must take the same memory. */
const [ROWS, SMALL_ROWS, LARGE_ROWS] = [5_000_000, 1_000_000, 20_000_000];
const CHILD = new URL("../../bench/load-child.js", import.meta.url);

interface Load extends ChildResult {
  /** With the start of the process. */
  readonly wholeMs: number;
}

export const loadBench: Bench = async ({ scale, rounds, say }) => {
  const scaled = (rows: number) => Math.max(1000, Math.round(rows * scale));
  const server = await startOrders();
  const table = new GrowingTable(server, say);
  try {
    await table.growTo(scaled(SMALL_ROWS));
    const small = await table.load();
    await table.growTo(scaled(ROWS));
    const figures = await against(table, rounds, say);
    const longestStatementMs = await table.longestStatement();
    await table.growTo(scaled(LARGE_ROWS));
    const large = await table.load();
    const longestStatement20mMs = await table.longestStatement();
    const growth = large.peakMemoryMb / small.peakMemoryMb;
    say(
      `peak memory ${small.peakMemoryMb.toFixed(0)} MB with ${groupDigits(small.rows)} rows, ${large.peakMemoryMb.toFixed(0)} MB with ${groupDigits(large.rows)}: ${growth.toFixed(2)} ×; longest statement ${formatDuration(longestStatementMs)} with ${groupDigits(scaled(ROWS))}, ${formatDuration(longestStatement20mMs)} with ${groupDigits(large.rows)}`,
    );
    return {
      ...figures,
      longestStatementMs,
      memory1mMb: Math.round(small.peakMemoryMb),
      memory20mMb: Math.round(large.peakMemoryMb),
      memoryGrowth: rounded(growth),
      longestStatement20mMs,
    };
  } finally {
    await server.end();
  }
};

/** The timed rounds: COPY, Ingot and the other tools by turns. */
async function against(table: GrowingTable, rounds: number, say: (line: string) => void) {
  const { server, rows } = table;
  const peers = new LoadPeers(server, say);
  const copies: ChildResult[] = [];
  const loads: Load[] = [];
  const ratios: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const copy = await runChild(CHILD, ["copy", server.connectionString]);
    const load = await table.load();
    copies.push(copy);
    loads.push(load);
    ratios.push(load.milliseconds / copy.milliseconds);
    say(
      `round ${round}: COPY to nowhere ${formatDuration(copy.milliseconds)}, Ingot ${formatDuration(load.milliseconds)}, ratio ${(load.milliseconds / copy.milliseconds).toFixed(2)}; ${formatDuration(load.wholeMs)} with its start, peak ${load.peakMemoryMb.toFixed(0)} MB`,
    );
    await peers.round(round, rows, load.wholeMs);
  }
  const loadMs = median(loads.map((load) => load.milliseconds));
  const figures = {
    rows,
    copyRatio: rounded(median(ratios)),
    ...peers.figures(),
    peakMemoryMb: Math.round(Math.max(...loads.map((load) => load.peakMemoryMb))),
    loadMs: Math.round(loadMs),
    loadWithStartMs: Math.round(median(loads.map((load) => load.wholeMs))),
    copyMs: Math.round(median(copies.map((copy) => copy.milliseconds))),
    rowsPerSecond: Math.round((rows / loadMs) * 1000),
  };
  const others = Object.entries(figures.peers).map(([name, ratio]) => `, ${name} ${ratio}`);
  say(
    `${groupDigits(rows)} rows (${formatBytes(table.bytes)} in Postgres): copyRatio ${figures.copyRatio}${others.join("")}, peak ${figures.peakMemoryMb} MB, ${groupDigits(figures.rowsPerSecond)} rows/s`,
  );
  return figures;
}

/** The orders of a server, of which there are more and more. */
class GrowingTable {
  readonly server: OrdersServer;
  /** Ids are 1 to this number. */
  rows = 0;
  /** Without indexes. */
  bytes = 0;
  private readonly say: (line: string) => void;

  constructor(server: OrdersServer, say: (line: string) => void) {
    this.server = server;
    this.say = say;
  }

  async growTo(rows: number): Promise<void> {
    this.say(`filling up to ${groupDigits(rows)} orders`);
    if (rows > this.rows) await this.server.insert(this.rows + 1, rows);
    this.rows = Math.max(rows, this.rows);
    await this.server.client.query("VACUUM (ANALYZE, FREEZE) orders");
    await this.server.client.query("CHECKPOINT");
    const { rows: sizes } = await this.server.client.query<{ bytes: string }>(
      "SELECT pg_table_size('orders')::text AS bytes",
    );
    this.bytes = Number(sizes[0]?.bytes);
  }

  /** Loads all of it with Ingot, in a process of its own, into a lake that is removed again. */
  async load(): Promise<Load> {
    const { connectionString, folder } = this.server;
    const lake = join(folder, "lake");
    try {
      const { result, milliseconds } = await timed(() => runChild(CHILD, ["load", connectionString, lake]));
      if (result.rows !== this.rows) throw new Error(`loaded ${result.rows} of ${this.rows} rows`);
      return { ...result, wholeMs: milliseconds };
    } finally {
      await rm(lake, { recursive: true, force: true });
    }
  }

  /** The longest statement of a load, in milliseconds. Not of one that is timed: who looks takes time as well. */
  async longestStatement(): Promise<number> {
    const watched = await watchingStatements(this.server.connectionString, () => this.load());
    return Math.round(watched.longestStatementMs);
  }
}
