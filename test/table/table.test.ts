import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { createTable, openTable } from "../../lakehouse/table/open.ts";
import { date, decimal, defineTable, long, text, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const sales = defineTable({
  name: "sales",
  description: "What was sold.",
  key: ["id"],
  columns: {
    id: long(),
    city: text().nullable(),
    amount: decimal(20, 2),
    day: date(),
    at: timestamp(),
  },
});
const row = (id: bigint, city: string | null, amount = "1.10") => ({
  id,
  city,
  amount,
  day: "2026-02-28",
  at: new Date("2026-02-28T23:59:59.123Z"),
});
const place = () => `${folder.path}/${crypto.randomUUID()}`;

describe("a table by a contract", () => {
  test("keeps rows of the contract's types, digit by digit, and gives them back", async () => {
    const table = await createTable(place(), { contract: sales, duckdb });
    const rows = [row(9_007_199_254_740_993n, "Zürich", "123456789012345678.99"), row(-1n, null)];
    await table.append({ rows });
    const snapshot = await table.snapshot();
    expect(await snapshot.rows({ where: "id > 0" })).toEqual([rows[0]]);
    expect(await snapshot.count()).toBe(2);
    const read = [];
    for await (const r of await snapshot.scan({ columns: ["ID"] })) read.push(r.id);
    expect(read.sort()).toEqual([-1n, 9_007_199_254_740_993n]);
  });

  test("refuses what the contract does not allow, and keeps nothing of it", async () => {
    const table = await createTable(place(), { contract: sales, duckdb });
    await expect(
      table.append({ sql: "SELECT NULL AS id, 'x' AS city, 1 AS amount, now() AS day, now() AS at" }),
    ).rejects.toMatchObject({
      code: "DELTA_CONSTRAINT_BROKEN",
      allowed: "id is not null",
    });
    await expect(table.append({ sql: "SELECT 1 AS unknown" })).rejects.toMatchObject({
      code: "DELTA_UNKNOWN_COLUMNS",
      value: "unknown",
    });
    await expect(table.append({ rows: [{ ...row(1n, "a"), other: 1 } as never] })).rejects.toMatchObject({
      code: "DELTA_UNKNOWN_COLUMNS",
    });
    expect((await table.snapshot()).version).toBe(0);
    expect(await table.kernel.store.list("part-")).toEqual([]);
  });

  test("can be opened by its address with an engine of its own", async () => {
    const address = place();
    const made = await createTable(address, { contract: sales });
    await made.append({ rows: [row(1n, "Bern")] });
    made.close();
    const table = await openTable(address, { contract: sales, engine: { memoryMb: 128 } });
    const [first] = await (await table.snapshot()).rows();
    table.close();
    // The type of a row is the contract's.
    expect(first?.at.getUTCFullYear()).toBe(2026);
  });

  test("is created once", async () => {
    const address = place();
    const made = await Promise.allSettled(
      Array.from({ length: 6 }, () => createTable(address, { contract: sales, duckdb })),
    );
    expect(made.filter((m) => m.status === "fulfilled")).toHaveLength(1);
    for (const m of made)
      if (m.status === "rejected") expect(m.reason).toMatchObject({ code: "DELTA_TABLE_EXISTS" });
    await createTable(address, { contract: sales, duckdb, ifNotExists: true });
    await expect(openTable(place(), { duckdb })).rejects.toMatchObject({ code: "DELTA_NO_TABLE" });
  });
});

describe("versions", () => {
  test("stay what they were, by number and by time", async () => {
    let now = Date.UTC(2026, 0, 1);
    const options = { duckdb, now: () => now, properties: { "delta.enableInCommitTimestamps": "true" } };
    const table = await createTable(new MemoryStore(), { ...options, contract: sales });
    for (const id of [1n, 2n, 3n]) {
      now += 60_000;
      await table.append({ rows: [row(id, "x")] });
    }
    const ids = async (asOf: object) => (await (await table.snapshot(asOf)).rows()).map((r) => r.id).sort();
    expect(await ids({ version: 1 })).toEqual([1n]);
    expect(await ids({ timestamp: new Date(Date.UTC(2026, 0, 1, 0, 2, 30)) })).toEqual([1n, 2n]);
    expect(await ids({})).toEqual([1n, 2n, 3n]);
    await expect(ids({ version: 9 })).rejects.toMatchObject({ code: "DELTA_NO_SUCH_VERSION" });
    await expect(ids({ timestamp: new Date(0) })).rejects.toMatchObject({ code: "DELTA_NO_SUCH_TIME" });
  });
});

describe("exactly once", () => {
  test("rows that came with a recorded version do not come again", async () => {
    const table = await createTable(place(), { contract: sales, duckdb });
    const batch = { rows: [row(1n, "a")] };
    const transaction = { appId: "topic-0", version: 41 };
    const outcomes = await Promise.all([1, 2, 3].map(() => table.append(batch, { transaction })));
    expect(outcomes.map((o) => o.rows).sort()).toEqual([0, 0, 1]);
    expect(await table.append(batch, { transaction })).toMatchObject({ rows: 0, version: 1 });
    expect((await table.recorded("topic-0"))?.version).toBe(41);
    expect(await table.append(batch, { transaction: { ...transaction, version: 42 } })).toMatchObject({
      rows: 1,
    });
  });

  test("a transaction's writes are seen together, and a lost one leaves nothing", async () => {
    const table = await createTable(place(), { contract: sales, duckdb, features: ["domainMetadata"] });
    const [first, second] = [await table.transaction(), await table.transaction()];
    for (const [i, transaction] of [first, second].entries()) {
      await transaction.append({ rows: [row(BigInt(i), "a")] });
      await transaction.append({ rows: [row(BigInt(i + 10), "a")] });
      transaction.record("job", i);
      transaction.describe("job.position", `{"at":${i}}`);
    }
    expect(await first.commit()).toEqual({ status: "committed", version: 1 });
    expect(await second.commit()).toMatchObject({ status: "lost", reason: expect.stringContaining("job") });
    const snapshot = await table.snapshot();
    expect((await snapshot.rows()).map((r) => r.id).sort()).toEqual([0n, 10n]);
    expect(snapshot.state.domains.get("job.position")?.configuration).toBe('{"at":0}');
    expect(await table.kernel.store.list("part-")).toHaveLength(2);
  });
});

describe("merge", () => {
  test("updates, deletes and inserts by the first clause that applies", async () => {
    const table = await createTable(place(), { contract: sales, duckdb });
    await table.append({ rows: [row(1n, "a"), row(2n, "b"), row(3n, "c"), row(4n, "d")] });
    const result = await table
      .merge({ rows: [row(1n, "delete"), row(2n, "B"), row(5n, "E")] }, "target.id = source.id")
      .whenMatchedDelete({ when: "source.city = 'delete'" })
      .whenMatchedUpdate({ city: "lower(source.city) || '!'" })
      .whenNotMatchedInsert("all")
      .whenNotMatchedBySourceDelete({ when: "target.city = 'd'" })
      .execute();
    expect(result).toEqual({ version: 2, updatedRows: 1, deletedRows: 2, insertedRows: 1 });
    const rows = await (await table.snapshot()).rows();
    expect(rows.map((r) => `${r.id}${r.city}`).sort()).toEqual(["2b!", "3c", "5E"]);
  });

  test("refuses two rows of the source for one of the table, says which, and changes nothing", async () => {
    const table = await createTable(place(), { contract: sales, duckdb });
    await table.append({ rows: [row(1n, "a")] });
    const merge = table.merge({ rows: [row(1n, "x"), row(1n, "y")] }, "target.id = source.id");
    await expect(merge.whenMatchedUpdate("all").execute()).rejects.toMatchObject({
      code: "DELTA_AMBIGUOUS_MERGE",
      value: expect.stringContaining('"id":1'),
    });
    expect(await merge.whenMatchedDelete().execute()).toMatchObject({ deletedRows: 1 });
  });

  test("grows the table by the source's columns where that is asked for", async () => {
    const table = await createTable(place(), { contract: sales, duckdb });
    await table.append({ rows: [row(1n, "a")] });
    const source = { sql: "SELECT 1::BIGINT AS id, 'b' AS city, [1, 2] AS marks" };
    await table
      .merge(source, "target.id = source.id")
      .whenMatchedUpdate("all")
      .withSchemaEvolution()
      .execute();
    const [first] = await (await table.snapshot()).rows();
    expect(first).toMatchObject({ id: 1n, city: "b", amount: "1.10", marks: [1, 2] });
  });

  test("that changes nothing commits nothing", async () => {
    const table = await createTable(place(), { contract: sales, duckdb });
    const result = await table
      .merge({ rows: [] }, "target.id = source.id")
      .whenNotMatchedInsert("all")
      .execute();
    expect(result).toEqual({ version: undefined, updatedRows: 0, deletedRows: 0, insertedRows: 0 });
    await expect(table.merge({ rows: [] }, "true").execute()).rejects.toMatchObject({
      code: "DELTA_BAD_MERGE",
    });
  });
});
