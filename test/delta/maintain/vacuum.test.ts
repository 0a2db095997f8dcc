import { mkdir, utimes, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { changeFeedSql } from "../../../lakehouse/delta/change/change-feed.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { overwriteRows } from "../../../lakehouse/delta/change/overwrite.ts";
import { updateRows } from "../../../lakehouse/delta/change/update.ts";
import { optimizeTable } from "../../../lakehouse/delta/maintain/optimize.ts";
import { restoreTable } from "../../../lakehouse/delta/maintain/restore.ts";
import { vacuumTable } from "../../../lakehouse/delta/maintain/vacuum.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { faultyStore } from "../../support/faulty-store.ts";
import { useFolder } from "../../support/folder.ts";
import { applyChange, histories, layouts, makeTable, row, rowsOf } from "./setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const HOUR = 3600 * 1000;

/** A table whose commits, and files, are an hour apart, the newest of them at `now`. */
class Aged {
  now = Date.now() - 1000 * HOUR;
  readonly store = new LocalStore(`${folder.path}/${crypto.randomUUID()}`);
  readonly table = new DeltaTable(this.store, duckdb, { now: () => this.now, checkpointInterval: 4 });
  private readonly seen = new Set<string>();

  /** Does something, and dates the files that came of it. */
  async step(work: (table: DeltaTable) => Promise<unknown>): Promise<void> {
    this.now += HOUR;
    await work(this.table);
    await this.date();
  }

  async date(): Promise<void> {
    for (const { path } of await this.store.list("")) {
      if (this.seen.has(path)) continue;
      this.seen.add(path);
      await utimes(this.store.address(path), this.now / 1000, this.now / 1000);
    }
  }
}

const paths = async (store: LocalStore) =>
  (await store.list("")).map(({ path }) => path).filter((path) => !path.startsWith("_delta_log/"));

describe("vacuum", () => {
  it("keeps every version of the retention readable, and takes the rest", async () => {
    await fc.assert(
      fc.asyncProperty(
        layouts,
        histories,
        fc.integer({ min: 0, max: 6 }),
        async (layout, history, retainHours) => {
          const aged = new Aged();
          const { table } = aged;
          await aged.step((t) => makeTable(t, layout));
          const times: number[] = [aged.now];
          const states: string[][] = [[]];
          for (const change of [...history, { delete: "k % 2 = 0" }]) {
            await aged.step((t) => applyChange(t, change));
            const { version } = await table.existingSnapshot();
            states[version] = await rowsOf(table);
            times[version] ??= aged.now;
          }
          await aged.step((t) => optimizeTable(t, { purge: true }));
          const last = (await table.existingSnapshot()).version;
          states[last] ??= await rowsOf(table);
          times[last] ??= aged.now;
          const { files } = await vacuumTable(table, { retainHours, force: true });
          const cutOff = aged.now - retainHours * HOUR;
          const fresh = new DeltaTable(aged.store, duckdb);
          for (let version = 0; version <= last; version++) {
            // It was the newest version until the next one came.
            const replacedAt = times[version + 1] ?? Number.POSITIVE_INFINITY;
            if (version < last && replacedAt < cutOff) continue;
            expect(await rowsOf(fresh, version)).toEqual(states[version]);
          }
          const firstFeed = times.findIndex((time) => time >= cutOff);
          if (layout.feed && firstFeed > 0) await duckdb.rows(await changeFeedSql(fresh, firstFeed, last));
          const again = await vacuumTable(table, { retainHours, force: true, dryRun: true });
          expect(again.files).toEqual([]);
          const operations = (await table.history(2)).map((entry) => entry.operation);
          expect(operations[0] === "VACUUM END").toBe(files.length > 0);
        },
      ),
      { numRuns: Number(process.env.INGOT_RUNS ?? 12) },
    );
  });

  it("lists in a dry run what it then deletes, and says so in the history", async () => {
    const aged = new Aged();
    await aged.step((t) => makeTable(t, { vectors: true, feed: true }));
    await aged.step((t) => appendRows(t, `${row(1)} UNION ALL ${row(2)}`));
    await aged.step((t) => deleteRows(t, "k = 1"));
    await aged.step((t) => overwriteRows(t, row(3)));
    aged.now += 169 * HOUR;
    const before = await paths(aged.store);
    const listed = await vacuumTable(aged.table, { dryRun: true });
    expect(await paths(aged.store)).toEqual(before);
    expect(
      listed.files
        .map(({ path }) => path.replace(/.*\//, "").replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, ""))
        .sort(),
    ).toEqual(["deletion_vector_.bin", "part-.parquet", "part-.parquet"]);
    const done = await vacuumTable(aged.table);
    expect(done.files).toEqual(listed.files);
    expect(await paths(aged.store)).toEqual(
      before.filter((p) => !listed.files.some(({ path }) => path === p)),
    );
    const [end, start] = await aged.table.history(2);
    expect(start).toMatchObject({
      operation: "VACUUM START",
      operationMetrics: { numFilesToDelete: "3", sizeOfDataToDelete: String(done.bytes) },
    });
    expect(end).toMatchObject({ operation: "VACUUM END", operationMetrics: { numDeletedFiles: "3" } });
    const { version } = await aged.table.existingSnapshot();
    expect(await vacuumTable(aged.table)).toMatchObject({ files: [], version });
  });

  it("refuses a short retention, unless it is forced or the table's own", async () => {
    const aged = new Aged();
    await aged.step((t) => makeTable(t));
    const short = vacuumTable(aged.table, { retainHours: 24 });
    await expect(short).rejects.toMatchObject({ code: "DELTA_SHORT_RETENTION", value: "24 hours" });
    await expect(vacuumTable(aged.table, { retainHours: -1 })).rejects.toMatchObject({
      code: "DELTA_BAD_RETENTION",
    });
    expect(await vacuumTable(aged.table, { retainHours: 24, force: true })).toMatchObject({
      retainedHours: 24,
    });
    expect(await vacuumTable(aged.table)).toMatchObject({ retainedHours: 168 });
  });

  it("touches nothing but files of the table, whatever they are called", async () => {
    const aged = new Aged();
    const { store } = aged;
    await aged.step((t) => makeTable(t, { partitioned: true }));
    for (const p of ["a b", "ä=1/x", "100%", "%20", "_x", "..", "+"])
      await aged.step((t) => appendRows(t, row(1, p)));
    const gone = [
      "orphan.parquet",
      "p=a b/orphan.parquet",
      "p=%20/orph%20an.parquet",
      "_change_data/orphan.parquet",
    ];
    const stay = [
      "_quarantine/x.parquet",
      ".hidden/x.parquet",
      "p=a b/.x.parquet.crc",
      "_SUCCESS",
      "inner/_delta_log/00000000000000000000.json",
      "inner/part.parquet",
      "_change_data/_x/y",
    ];
    for (const path of [...gone, ...stay]) {
      await mkdir(dirname(store.address(path)), { recursive: true });
      await writeFile(store.address(path), "x");
    }
    await aged.date();
    const rows = await rowsOf(aged.table);
    aged.now += 500 * HOUR;
    const { files } = await vacuumTable(aged.table);
    expect(files.map(({ path }) => path)).toEqual([...gone].sort());
    expect(await rowsOf(aged.table)).toEqual(rows);
    expect(await paths(store)).toEqual(expect.arrayContaining(stay));
  });

  it("knows files by absolute addresses, and leaves those outside of the table alone", async () => {
    const aged = new Aged();
    const { store, table } = aged;
    const outside = `${folder.path}/outside ${crypto.randomUUID()}.parquet`;
    await aged.step((t) => makeTable(t));
    await aged.step((t) => appendRows(t, row(1)));
    await aged.step((t) => appendRows(t, row(2)));
    const base = await table.existingSnapshot();
    const [first, second] = [...base.files.values()];
    if (first === undefined || second === undefined) throw new Error("two files were written");
    await writeFile(outside, (await store.get(first.path)) ?? "");
    await aged.step((t) =>
      t.commit({
        base,
        operation: "TEST",
        actions: [
          { remove: { path: second.path, dataChange: false, deletionTimestamp: 0 } },
          { add: { ...second, path: `file://${encodeURI(store.address(second.path))}` } },
          { add: { ...first, path: `file:${encodeURI(outside)}` } },
        ],
        reads: "table",
      }),
    );
    await utimes(outside, 1, 1);
    aged.now += 500 * HOUR;
    expect((await vacuumTable(table)).files).toEqual([]);
    await aged.step((t) => overwriteRows(t, row(9)));
    aged.now += 500 * HOUR;
    expect((await vacuumTable(table)).files).toHaveLength(2);
    expect(await new LocalStore(folder.path).get(outside.slice(folder.path.length + 1))).toBeDefined();
  });

  it("keeps for longer than the table does what checkpoints have forgotten", async () => {
    const aged = new Aged();
    await aged.step((t) => makeTable(t));
    await aged.step((t) => appendRows(t, row(1)));
    await aged.step((t) => overwriteRows(t, row(2)));
    aged.now += 200 * HOUR;
    for (let k = 0; k < 6; k++) await aged.step((t) => appendRows(t, row(k)));
    const fresh = new DeltaTable(aged.store, duckdb, { now: () => aged.now });
    expect((await fresh.existingSnapshot()).tombstones.size).toBe(0);
    expect((await vacuumTable(fresh, { retainHours: 300 })).files).toEqual([]);
    expect(await rowsOf(fresh, 1)).toHaveLength(1);
    expect((await vacuumTable(fresh)).files).toHaveLength(1);
  });
});

describe("vacuum beside other writers", () => {
  /** An aged table with one expired file; `at` says before which call a rival works. */
  async function race(at: "list" | "putIfAbsent" | "delete", rival: (table: DeltaTable) => Promise<unknown>) {
    const aged = new Aged();
    await aged.step((t) => makeTable(t));
    await aged.step((t) => appendRows(t, row(1)));
    await aged.step((t) => overwriteRows(t, row(2)));
    aged.now += 200 * HOUR;
    let planted = false;
    const store = faultyStore(aged.store, ({ method, path }) => {
      if (planted || method !== at || (at === "list" && path !== "")) return undefined;
      planted = true;
      const before = async () =>
        void (await rival(new DeltaTable(aged.store, duckdb, { now: () => aged.now })));
      return { before };
    });
    const result = await vacuumTable(new DeltaTable(store, duckdb, { now: () => aged.now }));
    return { aged, result };
  }

  it.each(["list", "putIfAbsent", "delete"] as const)("files written before its %s stay", async (at) => {
    const { aged, result } = await race(at, async (t) => {
      await appendRows(t, row(3));
      await updateRows(t, { v: "9" }, "k = 2");
    });
    expect(result.files).toHaveLength(1);
    expect(await rowsOf(aged.table)).toHaveLength(2);
  });

  it.each(["list", "putIfAbsent"] as const)("what is restored before its %s stays", async (at) => {
    const { aged, result } = await race(at, (t) => restoreTable(t, { version: 1 }));
    expect(result.files).toHaveLength(0);
    expect(await rowsOf(aged.table)).toEqual(await rowsOf(aged.table, 1));
  });
});
