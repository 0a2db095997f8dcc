/** Ingot's load beside that of other tools, on the same table and by turns. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { formatDuration, groupDigits } from "../../jobs/terminal/numbers.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { messageOf } from "../../lakehouse/errors.ts";
import { median, rounded } from "./bench.ts";
import { findPeers, PEERS, type Peer } from "./peers/peers.ts";
import { type PeerRun, runPeer } from "./peers/run-peer.ts";
import type { OrdersServer } from "./postgres-orders.ts";

interface PeerFigures {
  /** Its time as a multiple of Ingot's, both from the start of the process to its end, by name. */
  readonly peers: Readonly<Record<string, number>>;
  readonly peersMs: Readonly<Record<string, number>>;
  readonly peersMb: Readonly<Record<string, number>>;
}

/** The tools that are installed. One that fails is left out from then on, with a word why. */
export class LoadPeers {
  private readonly server: OrdersServer;
  private readonly say: (line: string) => void;
  private readonly programs: string | undefined;
  private readonly runs = new Map<Peer, { readonly run: PeerRun; readonly ratio: number }[]>();

  constructor(server: OrdersServer, say: (line: string) => void) {
    this.server = server;
    this.say = say;
    this.programs = findPeers();
    if (this.programs === undefined) {
      say("other tools are not installed (bash scripts/bench/install-peers.sh): measured without them");
      return;
    }
    for (const peer of PEERS) this.runs.set(peer, []);
  }

  /** Runs each tool once. `ownMs`: the time of Ingot's load in the same round, with the start of its process. */
  async round(round: number, rows: number, ownMs: number): Promise<void> {
    for (const [peer, runs] of this.runs) {
      const folder = join(this.server.folder, `${peer.name}-${round}`);
      try {
        const run = await runPeer(this.programs ?? "", peer, this.server.connectionString, folder);
        await checkRows(run.output, rows);
        const ratio = run.milliseconds / ownMs;
        runs.push({ run, ratio });
        const memory = run.peakMemoryMb === undefined ? "" : `, peak ${run.peakMemoryMb.toFixed(0)} MB`;
        this.say(
          `round ${round}: ${peer.name} ${formatDuration(run.milliseconds)} with its start${memory}, ${ratio.toFixed(2)} × Ingot's time`,
        );
      } catch (error) {
        this.runs.delete(peer);
        this.say(`${peer.name} is left out, it ${messageOf(error)}`);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
  }

  figures(): PeerFigures {
    const each = (figure: (runs: readonly { run: PeerRun; ratio: number }[]) => number) =>
      Object.fromEntries([...this.runs].map(([peer, runs]) => [peer.name, figure(runs)]));
    return {
      peers: each((runs) => rounded(median(runs.map(({ ratio }) => ratio)))),
      peersMs: each((runs) => Math.round(median(runs.map(({ run }) => run.milliseconds)))),
      peersMb: each((runs) => Math.round(Math.max(...runs.map(({ run }) => run.peakMemoryMb ?? Number.NaN)))),
    };
  }
}

/** Whether the files hold every order once: ids are 1 to `rows`. */
async function checkRows(folder: string, rows: number): Promise<void> {
  const duckdb = await DuckDb.open({ memoryMb: 256, threads: 2 });
  try {
    const files = literal(join(folder, "**", "*.parquet"));
    const sql = `SELECT count(*)::VARCHAR AS count, sum(id)::VARCHAR AS sum FROM read_parquet(${files})`;
    const [found] = await duckdb.rows(sql);
    const wanted = (BigInt(rows) * BigInt(rows + 1)) / 2n;
    if (found?.count !== String(rows) || found.sum !== String(wanted)) {
      throw new Error(`loaded ${String(found?.count)} of ${groupDigits(rows)} rows, or others`);
    }
  } finally {
    duckdb.close();
  }
}
