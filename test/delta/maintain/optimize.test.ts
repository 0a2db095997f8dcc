import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alterTable } from "../../../lakehouse/delta/alter.ts";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { updateRows } from "../../../lakehouse/delta/change/update.ts";
import { optimizeTable } from "../../../lakehouse/delta/maintain/optimize.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { MemoryStore } from "../../../lakehouse/store/memory.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { type Fault, faultyStore } from "../../support/faulty-store.ts";
import { useFolder } from "../../support/folder.ts";
import { applyChange, histories, layouts, makeTable, row, rowsOf } from "./setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const newStore = () => new LocalStore(`${folder.path}/${crypto.randomUUID()}`);
const RUNS = Number(process.env.INGOT_RUNS ?? 15);

describe("optimize", () => {
  it("leaves the rows as they are, and leaves nothing to do", async () => {
    const options = fc.record({
      purge: fc.boolean(),
      zOrderBy: fc.constantFrom<string[]>([], ["k"], ["s", "k"]),
      targetFileBytes: fc.constantFrom(1, 2000, 2 ** 27),
      maxBatchBytes: fc.constantFrom(1, 2 ** 30),
    });
    await fc.assert(
      fc.asyncProperty(layouts, histories, options, async (layout, history, given) => {
        const table = await makeTable(new DeltaTable(newStore(), duckdb), layout);
        for (const change of history) await applyChange(table, change);
        const before = await table.existingSnapshot();
        const rows = await rowsOf(table);
        const zOrderBy = layout.partitioned ? given.zOrderBy.filter((c) => c !== "p") : given.zOrderBy;
        const first = await optimizeTable(table, { ...given, zOrderBy });
        expect(await rowsOf(table)).toEqual(rows);
        expect(await rowsOf(table, before.version)).toEqual(rows);
        expect(first.addedFiles).toBeLessThanOrEqual(Math.max(first.removedFiles, zOrderBy.length * 1000));
        expect(await optimizeTable(table, { ...given, zOrderBy })).toMatchObject({
          commits: 0,
          removedFiles: 0,
        });
        const after = await table.existingSnapshot();
        expect(after.version).toBe(before.version + first.commits);
        if (given.purge) expect([...after.files.values()].filter((f) => f.deletionVector)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });

  it("combines small files of each partition, by the size that the table asks for", async () => {
    const table = await makeTable(new DeltaTable(newStore(), duckdb), { partitioned: true });
    for (let k = 0; k < 6; k++) await appendRows(table, `${row(k, "ä/=%")} UNION ALL ${row(k, "b c")}`);
    const result = await optimizeTable(table);
    expect(result).toMatchObject({ commits: 1, addedFiles: 2, removedFiles: 12, purgedVectors: 0 });
    const [entry] = await table.history(1);
    expect(entry).toMatchObject({
      operation: "OPTIMIZE",
      isBlindAppend: false,
      operationParameters: { predicate: "[]", zOrderBy: "[]" },
      operationMetrics: {
        numAddedFiles: "2",
        numRemovedFiles: "12",
        numRemovedBytes: String(result.removedBytes),
      },
    });
    const [file] = (await table.existingSnapshot()).files.values();
    await alterTable(table, { setProperties: { "delta.targetFileSize": String(file?.size ?? 0) } });
    await appendRows(table, row(9, "b c"));
    expect(await optimizeTable(table)).toMatchObject({ removedFiles: 0 });
  });

  it("looks only at the files of a condition", async () => {
    const table = await makeTable(new DeltaTable(newStore(), duckdb), { partitioned: true });
    for (let k = 0; k < 4; k++) await appendRows(table, `${row(k, "a")} UNION ALL ${row(k, "b")}`);
    expect(await optimizeTable(table, { where: "p = 'a'" })).toMatchObject({
      addedFiles: 1,
      removedFiles: 4,
    });
    expect(await optimizeTable(table, { where: "k >= 2" })).toMatchObject({ addedFiles: 1, removedFiles: 2 });
    await expect(optimizeTable(table, { where: "q = 1" })).rejects.toMatchObject({
      code: "DELTA_BAD_PREDICATE",
    });
  });

  it("works in deletion vectors that hide many rows, and all of them when asked", async () => {
    const table = await makeTable(new DeltaTable(newStore(), duckdb), { vectors: true });
    await appendRows(table, "SELECT range::INTEGER AS k, range AS v, 's' AS s, 'p' AS p FROM range(1000)");
    await deleteRows(table, "k < 10");
    expect(await optimizeTable(table)).toMatchObject({ commits: 0 });
    await deleteRows(table, "k < 100");
    expect(await optimizeTable(table)).toMatchObject({ addedFiles: 1, removedFiles: 1, purgedVectors: 1 });
    await deleteRows(table, "k < 101");
    expect(await optimizeTable(table, { purge: true })).toMatchObject({ purgedVectors: 1 });
    expect(await rowsOf(table)).toHaveLength(899);
  });

  it.each([
    [{ zOrderBy: ["nothing"] }, "DELTA_NO_SUCH_COLUMN"],
    [{ zOrderBy: ["p"] }, "DELTA_BAD_Z_ORDER"],
    [{ targetFileBytes: 0 }, "DELTA_BAD_FILE_SIZE"],
  ])("refuses %o", async (options, code) => {
    const table = await makeTable(new DeltaTable(new MemoryStore(), duckdb), { partitioned: true });
    await expect(optimizeTable(table, options)).rejects.toMatchObject({ code });
  });
});

describe("optimize beside other writers", () => {
  /** Four files of one row each, and a rival that commits while the first commit of the optimise is on its way. */
  async function race(rival: (table: DeltaTable) => Promise<unknown>, vectors: boolean, fault: Fault = {}) {
    const store = newStore();
    const table = await makeTable(new DeltaTable(store, duckdb), { vectors });
    for (let k = 0; k < 4; k++) await appendRows(table, `${row(k)} UNION ALL ${row(k + 10)}`);
    const before = async () => void (await rival(new DeltaTable(store, duckdb)));
    const result = await optimizeTable(new DeltaTable(faultyStore(store, [{ before, ...fault }]), duckdb), {
      smallerThan: 10_000,
    });
    const named = new Set((await table.existingSnapshot()).files.keys());
    return { result, table, named, store };
  }

  it("an append meanwhile stands, and is taken up in its turn", async () => {
    const { result, table } = await race((t) => appendRows(t, row(99)), false);
    expect(result).toMatchObject({ commits: 2, removedFiles: 4 + 2 });
    expect(await rowsOf(table)).toHaveLength(9);
    const operations = (await table.history()).map((entry) => entry.operation);
    expect(operations.slice(0, 3)).toEqual(["OPTIMIZE", "OPTIMIZE", "WRITE"]);
  });

  it.each([true, false])("a delete of rows meanwhile stands (deletion vectors: %s)", async (vectors) => {
    const { table, named, store, result } = await race((t) => deleteRows(t, "k = 2"), vectors);
    const rows = await rowsOf(table);
    expect(rows).toHaveLength(7);
    expect(rows.join()).not.toContain('"k":2,');
    expect(result.commits).toBe(1);
    expect(named.size).toBe(1);
    // What was written for nothing is gone.
    const parquet = (await store.list("")).filter((o) => /^part-.*parquet$/.test(o.path));
    expect(parquet.length).toBe(4 + 1 + (vectors ? 0 : 1));
  });

  it("only bins that another commit touched are done again", async () => {
    const store = newStore();
    const table = await makeTable(new DeltaTable(store, duckdb), { partitioned: true });
    for (let k = 0; k < 3; k++) await appendRows(table, `${row(k, "a")} UNION ALL ${row(k, "b")}`);
    const before = async () =>
      void (await updateRows(new DeltaTable(store, duckdb), { v: "7" }, "p = 'a' AND k = 1"));
    const result = await optimizeTable(new DeltaTable(faultyStore(store, [{ before }]), duckdb));
    expect(result).toMatchObject({ commits: 2, addedFiles: 2 });
    expect((await rowsOf(table)).filter((r) => r.includes('"v":7'))).toHaveLength(1);
  });

  it("a change of the table's properties meanwhile does not cost the work", async () => {
    const { result, named } = await race(
      (t) => alterTable(t, { addColumn: { name: "n", type: "long" } }),
      false,
    );
    expect(result).toMatchObject({ commits: 1, removedFiles: 4 });
    expect(named.size).toBe(1);
  });

  it("a commit of its own that seemed to fail is known again", async () => {
    const { result, table } = await race(async () => {}, false, { failAfter: true });
    expect(result).toMatchObject({ commits: 1, removedFiles: 4 });
    expect(await rowsOf(table)).toHaveLength(8);
  });
});
