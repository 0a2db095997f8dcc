import { expect, it } from "vitest";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { pgbench, pgbenchAvailable, startPgbench } from "../support/pgbench.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

const pipeline: PipelineDefinition = {
  name: "bench",
  source: postgres({
    tables: {
      pgbench_accounts: {},
      pgbench_branches: {},
      pgbench_tellers: {},
      pgbench_history: { key: "none" },
    },
  }),
};

it.skipIf(!pgbenchAvailable)(
  "loads and syncs pgbench's tables at scale 10 while pgbench runs, missing and doubling nothing",
  async () => {
    await pgbench(database.url, "-i", "-q", "-s", "10");
    const lake = newLake(folder.path, duckdb);
    const context = ingestContext(lake, database.url);
    const running = startPgbench(database.url, "-c", "4", "-T", "120", "-n");
    try {
      const loaded = await load(context, pipeline);
      expect(loaded.find((r) => r.table === "bronze.pgbench_accounts")?.rows).toBe(1_000_000);
      for (let i = 0; i < 4; i++) {
        const synced = await sync(context, pipeline);
        expect(synced.reduce((sum, r) => sum + r.rows, 0)).toBeGreaterThan(0);
      }
    } finally {
      await running.stop();
    }
    await sync(context, pipeline);
    expect((await sync(context, pipeline)).map((r) => r.status)).toEqual(Array(4).fill("unchanged"));

    const history = await database.query(
      "SELECT count(*)::int AS n, sum(delta)::int AS delta FROM pgbench_history",
    );
    expect(
      await queryTable(
        lake,
        "bench/bronze/pgbench_history",
        "SELECT count(*)::INTEGER AS n, sum(delta)::INTEGER AS delta FROM t",
      ),
    ).toEqual(history);

    for (const [table, key, balance] of [
      ["pgbench_accounts", "aid", "abalance"],
      ["pgbench_branches", "bid", "bbalance"],
      ["pgbench_tellers", "tid", "tbalance"],
    ] as const) {
      // The same order-free checksum on both sides.
      const checksum = `count(*) AS n, sum((${key} * 31 + ${balance} * 17) % 1000003) AS checksum`;
      const [source] = await database.query<{ n: string; checksum: string }>(
        `SELECT ${checksum} FROM ${table}`,
      );
      const current = `FROM (FROM t QUALIFY row_number() OVER (PARTITION BY ${key} ORDER BY _ingot_lsn DESC) = 1)`;
      const [mirror] = await queryTable(lake, `bench/bronze/${table}`, `SELECT ${checksum} ${current}`);
      expect({ n: String(mirror?.n), checksum: String(mirror?.checksum) }).toEqual(source);
      const doubled = await queryTable(
        lake,
        `bench/bronze/${table}`,
        `SELECT ${key}, _ingot_xid FROM t GROUP BY ALL HAVING count(*) > 1`,
      );
      expect(doubled).toEqual([]);
    }
  },
);
