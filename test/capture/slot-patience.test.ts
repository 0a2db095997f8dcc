/** A slot that somebody else reads: waited for, as long as there is patience. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { follow } from "../../layers/bronze/follow.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { keepUp } from "../../layers/bronze/keep-up.ts";
import { verify } from "../../layers/bronze/verify/verify.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { replicationNames } from "../../layers/definition/replication-names.ts";
import { captured, useCapture } from "./setup.ts";

const { database, context, both, withTables } = await useCapture();

it("waits for another consumer to end, and then takes what there is", async () => {
  await withTables("CREATE TABLE busy (id int PRIMARY KEY)", captured({ busy: {} }), async (pipeline) => {
    const stop = new AbortController();
    let following: Promise<unknown> = Promise.resolve();
    const committed = new Promise<void>((resolve) => {
      following = follow(context(), pipeline, {
        signal: stop.signal,
        limits: { milliseconds: 10 },
        onFollowing: () => void database.query("INSERT INTO busy VALUES (1)"),
        // The slot is certainly in use.
        onCommitted: () => resolve(),
      });
    });
    await committed;
    const said: string[] = [];
    const waiting = keepUp(
      {
        ...context(),
        onProgress: ({ task, state, note }) => {
          if (!task.startsWith("slot ")) return;
          said.push(`${state} ${note}`);
          stop.abort();
        },
      },
      pipeline,
      { patience: 60_000 },
    );
    await following;
    await database.query("INSERT INTO busy VALUES (2)");
    await waiting;
    await keepUp(context(), pipeline);
    expect((await both(pipeline, "busy", ["id"])).bronze).toEqual(['["1"]', '["2"]']);
    expect(said[0]).toBe("running in use by another process: waiting for it");
    expect(said.at(-1)).toMatch(/^done (free again|another process has taken what there was)$/);
  });
});

/** Follows the pipeline while `work` runs. */
async function whileFollowed(pipeline: PipelineDefinition, work: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  let following: Promise<unknown> = Promise.resolve();
  await new Promise<void>((resolve) => {
    following = follow(context(), pipeline, { signal: stop.signal, onFollowing: () => resolve() });
  });
  try {
    // The stream is asked for, and may not have begun.
    const isActive = "SELECT FROM pg_replication_slots WHERE active AND slot_name = $1";
    const { slot } = replicationNames(pipeline);
    while ((await database.query(isActive, [slot])).length === 0) await delay(10);
    await work();
  } finally {
    stop.abort();
    await following;
  }
}

it("what another process takes is not waited for any longer than it takes, on a busy source and on an idle one", async () => {
  await withTables("CREATE TABLE shared (id int PRIMARY KEY)", captured({ shared: {} }), async (pipeline) => {
    await whileFollowed(pipeline, async () => {
      await database.query("INSERT INTO shared SELECT generate_series(1, 100)");
      for (const _ of ["busy", "idle"]) {
        const reports = await keepUp(context(), pipeline, { patience: 60_000 });
        expect(reports).toMatchObject([{ table: "bronze.shared", status: "unchanged", rows: 0 }]);
        expect((await both(pipeline, "shared", ["id"])).bronze).toHaveLength(100);
      }
      await expect(verify(context(), pipeline)).resolves.toMatchObject([{ status: "same" }]);
    });
  });
});

it("a table that the other process does not take is not loaded beside it, for its changes would be lost", async () => {
  const sql = "CREATE TABLE known (id int PRIMARY KEY); CREATE TABLE fresh (id int PRIMARY KEY)";
  await withTables(sql, captured({ known: {} }), async (pipeline) => {
    const { source } = captured({ known: {}, fresh: {} });
    const more: PipelineDefinition = {
      ...pipeline,
      source: { ...source, ...pipeline.source, tables: source.tables },
    };
    await whileFollowed(pipeline, async () => {
      const refusal = { code: "SLOT_ACTIVE", value: "not loaded yet: fresh" };
      await expect(load(context(), more)).rejects.toMatchObject(refusal);
      await expect(keepUp(context(), more, { patience: 300 })).rejects.toMatchObject(refusal);
      await database.query("INSERT INTO fresh VALUES (1)");
      await database.query("INSERT INTO known VALUES (1)");
      await keepUp(context(), pipeline, { patience: 60_000 });
    });
    await keepUp(context(), more);
    await database.query("INSERT INTO fresh VALUES (2)");
    await keepUp(context(), more);
    for (const [table, rows] of [
      ["known", 1],
      ["fresh", 2],
    ] as const) {
      expect((await both(more, table, ["id"])).bronze).toHaveLength(rows);
    }
  });
});
