import { describe, expect, it } from "vitest";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { readRows, writeRows } from "../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const raise = (error: unknown) => {
  throw error;
};

const stores = {
  memory: () => new MemoryStore(),
  local: () => new LocalStore(`${folder.path}/${crypto.randomUUID()}`),
};

describe.each(Object.entries(stores))("a table on a %s store", (_name, makeStore) => {
  it("appends, overwrites and travels in time", async () => {
    const table = new DeltaTable(makeStore(), duckdb);
    expect(await table.snapshot()).toBeUndefined();
    await writeRows(duckdb, table, "SELECT 1 AS id, 'a' AS name, 1.5 AS price");
    await writeRows(duckdb, table, "SELECT 2 AS id, NULL AS name, 2.25 AS price");
    await writeRows(duckdb, table, "SELECT 3 AS id, 'c' AS name, NULL AS price", { overwrite: true });
    expect(await readRows(duckdb, table)).toEqual([{ id: 3n, name: "c", price: null }]);
    expect(await readRows(duckdb, table, 1)).toEqual([
      { id: 1n, name: "a", price: "1.50" },
      { id: 2n, name: null, price: "2.25" },
    ]);
    await expect(table.snapshot(7)).rejects.toMatchObject({
      code: "DELTA_NO_SUCH_VERSION",
      allowed: "0 to 2",
    });
    const history = await table.history();
    expect(history.map((h) => [h.version, h.operation, h.addedFiles, h.removedFiles])).toEqual([
      [2, "WRITE", 1, 2],
      [1, "WRITE", 1, 0],
      [0, "WRITE", 1, 0],
    ]);
  });

  it("reads the same state through a checkpoint as through the whole log", async () => {
    const store = makeStore();
    const table = new DeltaTable(store, duckdb, { checkpointInterval: 5, onCheckpointError: raise });
    for (let i = 0; i < 13; i++) {
      await writeRows(duckdb, table, `SELECT ${i} AS id, 'x' AS name, ${i} AS price`, {
        overwrite: i === 4 || i === 7,
        transactions: [{ appId: "feed", version: i, lastUpdated: 1 }],
        domains: [{ domain: "test", configuration: `{"at":${i}}`, removed: false }],
      });
    }
    expect((await store.list("_delta_log/")).filter((o) => o.path.includes(".checkpoint."))).toHaveLength(2);
    const through = await new DeltaTable(store, duckdb).existingSnapshot();
    for (const version of Array.from({ length: 10 }, (_, i) => i)) {
      await store.delete(`_delta_log/${String(version).padStart(20, "0")}.json`);
    }
    const fresh = await new DeltaTable(store, duckdb).existingSnapshot();
    expect(fresh).toEqual({ ...through });
    expect(fresh.transactions.get("feed")?.version).toBe(12);
    expect(fresh.domains.get("test")?.configuration).toBe('{"at":12}');
    expect((await readRows(duckdb, new DeltaTable(store, duckdb))).map((r) => r.id)).toEqual([
      7n,
      8n,
      9n,
      10n,
      11n,
      12n,
    ]);
    // The hint is no more than one: without the checkpoint it names, the log is read from its start.
    const whole = new DeltaTable(makeStore(), duckdb, { checkpointInterval: 2 });
    for (let i = 0; i < 4; i++) await writeRows(duckdb, whole, `SELECT ${i} AS id, 'x' AS name, 1 AS price`);
    await whole.store.delete(`_delta_log/${String(2).padStart(20, "0")}.checkpoint.parquet`);
    expect(await readRows(duckdb, new DeltaTable(whole.store, duckdb))).toHaveLength(4);

    const gap = new DeltaTable(store, duckdb).snapshot(3);
    await expect(gap).rejects.toMatchObject({ code: "DELTA_NO_SUCH_VERSION" });
  });
});
