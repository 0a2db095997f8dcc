/**
 * The shop of the incremental benchmark kept by dbt: bronze's rows in a DuckDB file, and the pipeline's models as dbt's
 * incremental models (`dbt/`), which take what lies behind the position that they have.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { DuckDb, Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../../lakehouse/duckdb/quote.ts";
import { messageOf } from "../../../lakehouse/errors.ts";
import { META } from "../../../layers/definition/bronze-columns.ts";
import { type BenchShop, GOLD_NAMES, goldDigest, SOURCE_NAMES } from "../incremental-shop.ts";
import { findPeers, type Peer } from "./peers.ts";
import { runPeer } from "./run-peer.ts";

interface DbtRun {
  /** From the start of the process to its end. */
  readonly milliseconds: number;
  /** What dbt says it took from when it had read the project. */
  readonly insideMs: number;
}

const runResults = z.object({
  elapsed_time: z.number(),
  results: z.array(z.object({ unique_id: z.string(), status: z.string() })),
});

/** dbt deletes no group: those that nothing is in any more are left with a zero. */
const FILLED: Readonly<Record<string, string>> = {
  daily_sales: "placed > 0",
  daily_conversion: "carts > 0",
  product_sales: "units > 0",
};

/** Folder of dbt's program; undefined where it is not installed. */
export function findDbt(): string | undefined {
  const programs = findPeers();
  return programs !== undefined && existsSync(join(programs, "dbt")) ? programs : undefined;
}

/** dbt itself could not do its work. */
export class DbtFailed extends Error {}

export class DbtShop {
  private readonly programs: string;
  private readonly folder: string;
  private readonly duckdb: DuckDb;
  private readonly peer: Peer;
  private readonly database: string;

  /** `folder` is made; `programs` as of `findDbt`. */
  constructor(programs: string, folder: string, duckdb: DuckDb, memoryMb: number) {
    this.programs = programs;
    this.folder = folder;
    this.duckdb = duckdb;
    this.database = join(folder, "shop.duckdb");
    this.peer = {
      name: "dbt",
      program: "dbt",
      environment: {
        DO_NOT_TRACK: "1",
        SHOP_DATABASE: this.database,
        SHOP_THREADS: "2",
        SHOP_MEMORY: `${memoryMb}MB`,
      },
      args: () => ["run", "--quiet", "--project-dir", "project", "--profiles-dir", "project"],
    };
  }

  /** Copies the project and bronze, and builds all models for the first time. */
  async prepare(shop: BenchShop): Promise<DbtRun> {
    await mkdir(this.folder, { recursive: true });
    await cp(resolve("scripts/bench/peers/dbt"), join(this.folder, "project"), { recursive: true });
    await this.take(shop);
    return this.run();
  }

  /** Appends those rows of bronze that have come since the last time. */
  take(shop: BenchShop): Promise<void> {
    return this.attached("", async (session) => {
      await session.run("CREATE SCHEMA IF NOT EXISTS dbt.bronze");
      for (const name of SOURCE_NAMES) {
        const rows = await shop.scan(`commerce/bronze/${name}`);
        const table = `dbt.bronze.${name}`;
        await session.run(`CREATE TABLE IF NOT EXISTS ${table} AS SELECT * FROM (${rows}) LIMIT 0`);
        const position = `(SELECT coalesce(max(${META.lsn}), -1) FROM ${table})`;
        await session.run(`INSERT INTO ${table} SELECT * FROM (${rows}) WHERE ${META.lsn} > ${position}`);
      }
    });
  }

  /** `dbt run`, as a user would have it done. */
  async run(): Promise<DbtRun> {
    const { milliseconds } = await runPeer(this.programs, this.peer, "", this.folder).catch((cause) => {
      throw new DbtFailed(messageOf(cause), { cause });
    });
    const text = await readFile(join(this.folder, "project", "target", "run_results.json"), "utf8");
    const { elapsed_time, results } = runResults.parse(JSON.parse(text));
    const failed = results.filter(({ status }) => status !== "success");
    if (failed.length > 0) {
      throw new DbtFailed(`could not build ${failed.map((node) => node.unique_id).join(", ")}`);
    }
    return { milliseconds, insideMs: elapsed_time * 1000 };
  }

  /** What gold holds, to be compared with that of Ingot's shop. */
  digest(): Promise<string> {
    return this.attached("(READ_ONLY)", async (session) => {
      for (const name of GOLD_NAMES) {
        const filled = FILLED[name];
        const rows =
          filled === undefined
            ? `FROM dbt.gold.${name}`
            : `SELECT * EXCLUDE (_position) FROM dbt.gold.${name} WHERE ${filled}`;
        await session.view("gold", name, rows);
      }
      return goldDigest(session);
    });
  }

  /** The file belongs to one process at a time: it is let go again. */
  private async attached<T>(options: string, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.duckdb.session();
    try {
      await session.run(`ATTACH ${literal(this.database)} AS dbt ${options}`);
      try {
        return await work(session);
      } finally {
        await session.run("DETACH dbt");
      }
    } finally {
      await session.close();
    }
  }
}
