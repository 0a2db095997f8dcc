import { describe, expect, it } from "vitest";
import { pgbench, pgbenchAvailable, startPgbench } from "../support/pgbench.ts";
import { captured, useCapture } from "./setup.ts";

describe.skipIf(!pgbenchAvailable)("capture of pgbench", async () => {
  const { database, load, sync, changesOf, expectSame, dropSlot } = await useCapture();

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
      await expectSame(pipeline, "pgbench_accounts", ["aid", "bid", "abalance"]);
      await expectSame(pipeline, "pgbench_branches", ["bid", "bbalance"]);
      await expectSame(pipeline, "pgbench_tellers", ["tid", "bid", "tbalance"]);
      await expectSame(pipeline, "pgbench_history", ["tid", "bid", "aid", "delta", "mtime"]);
      // Each transaction of pgbench changes one row of each table: none is missing, none is there twice.
      const changes = async (table: string) =>
        (await changesOf(pipeline, table))
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
