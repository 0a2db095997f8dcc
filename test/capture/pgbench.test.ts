import { describe, expect, it } from "vitest";
import type { Lake } from "../../lakehouse/lake.ts";
import { bronzeChanges } from "../support/bronze-state.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { pgbench, pgbenchAvailable, startPgbench } from "../support/pgbench.ts";
import { useDatabase } from "../support/postgres.ts";
import { captured, capturing } from "./setup.ts";

describe.skipIf(!pgbenchAvailable)("capture of pgbench", async () => {
  const duckdb = await useDuckDb();
  const folder = useFolder();
  const database = useDatabase();
  let lake: Lake | undefined;
  const currentLake = () => {
    lake ??= newLake(folder.path, duckdb);
    return lake;
  };
  const { load, sync, both, dropSlot } = capturing(database, currentLake);

  it("joins load and stream without gap or double while pgbench writes", async () => {
    await pgbench(database.url, "-i", "-s", "2", "-q");
    const pipeline = captured({
      pgbench_accounts: {},
      pgbench_branches: {},
      pgbench_tellers: {},
      pgbench_history: { key: "none" },
    });
    const running = startPgbench(database.url, "-c", "3", "-T", "600");
    try {
      await load(pipeline);
      for (let i = 0; i < 5; i++) await sync(pipeline);
    } finally {
      await running.stop();
    }
    await sync(pipeline);
    try {
      for (const [table, columns] of [
        ["pgbench_accounts", ["aid", "bid", "abalance"]],
        ["pgbench_branches", ["bid", "bbalance"]],
        ["pgbench_tellers", ["tid", "bid", "tbalance"]],
        ["pgbench_history", ["tid", "bid", "aid", "delta", "mtime"]],
      ] as const) {
        const { bronze, source } = await both(pipeline, table, columns);
        expect(bronze).toEqual(source);
      }
      // Each transaction of pgbench changes one row of each table: none is missing, none is there twice.
      const changes = async (table: string) =>
        (await bronzeChanges(currentLake(), `${pipeline.name}/bronze/${table}`))
          .filter((row) => row._ingot_op !== "r")
          .map((row) => String(row._ingot_xid));
      const history = await changes("pgbench_history");
      expect(history.length).toBeGreaterThan(100);
      expect(new Set(history).size).toBe(history.length);
      for (const table of ["pgbench_accounts", "pgbench_tellers", "pgbench_branches"]) {
        expect((await changes(table)).sort()).toEqual([...history].sort());
      }
    } finally {
      await dropSlot(pipeline);
    }
  });
});
