import { mkdirSync, writeFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type DeletionVector,
  deletionVectorId,
  deletionVectorPath,
  deletionVectorSchema,
  encodeUuid,
  relativePath,
} from "../../lakehouse/delta/deletion-vector/descriptor.ts";
import { readDeletionVector } from "../../lakehouse/delta/deletion-vector/read.ts";
import { RowSet } from "../../lakehouse/delta/deletion-vector/row-set.ts";
import { collectRows, writeRowsFile } from "../../lakehouse/delta/deletion-vector/rows-file.ts";
import { writeDeletionVectors } from "../../lakehouse/delta/deletion-vector/write.ts";
import { decodeZ85, encodeZ85 } from "../../lakehouse/delta/deletion-vector/z85.ts";
import { streamNumbers } from "../../lakehouse/duckdb/number-columns.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { writeNumberFile } from "../../lakehouse/parquet/number-file.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { range } from "../support/row-patterns.ts";

const folder = useFolder();
const BAD = { code: "DELTA_BAD_DELETION_VECTOR" };
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("a descriptor", () => {
  const fields = { offset: 4, sizeInBytes: 40, cardinality: 6 };
  const onDisk = { storageType: "u" as const, pathOrInlineDv: "ab^-aqEH.-t@S}K{vb[*k^", ...fields };

  it("names a file and a vector, as the protocol's example does", () => {
    const uuid = "d2c639aa-8816-431a-aaf6-d3fe2512ff61";
    expect(relativePath(onDisk)).toBe(`ab/deletion_vector_${uuid}.bin`);
    expect(encodeUuid(uuid)).toBe("^-aqEH.-t@S}K{vb[*k^");
    expect(deletionVectorPath(uuid)).toBe(`deletion_vector_${uuid}.bin`);
    expect(deletionVectorId(onDisk)).toBe("uab^-aqEH.-t@S}K{vb[*k^@4");
    const parsed = deletionVectorSchema.parse({ ...onDisk, offset: null, maxRowIndex: null });
    expect(deletionVectorId(parsed)).toBe("uab^-aqEH.-t@S}K{vb[*k^");
    expect(() => relativePath({ pathOrInlineDv: "short" })).toThrow(expect.objectContaining(BAD));
    expect(deletionVectorSchema.safeParse({ ...onDisk, storageType: "x" }).success).toBe(false);
  });

  it("holds bytes as text", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const read = decodeZ85(encodeZ85(bytes));
        expect([...read.subarray(0, bytes.length)]).toEqual([...bytes]);
        expect(read.length).toBe(Math.ceil(bytes.length / 4) * 4);
      }),
    );
    expect(encodeZ85(hex("864fd26fb559f75b"))).toBe("HelloWorld");
    for (const text of ["abcd", 'ab"cd', "abcé0", "#####", "00000#####"]) {
      expect(() => decodeZ85(text)).toThrow(expect.objectContaining(BAD));
    }
  });
});

describe("stored vectors", () => {
  const stores: readonly (readonly [string, () => ObjectStore])[] = [
    ["memory", () => new MemoryStore()],
    ["a folder", () => new LocalStore(`${folder.path}/table ${crypto.randomUUID()}`)],
  ];
  const sets = [[3, 4, 7], range(0, 100_000), [2 ** 32 + 1], range(0, 9000).map((i) => 3 * i)].map((rows) =>
    RowSet.of(rows),
  );
  const read = async (store: ObjectStore, vector: DeletionVector) => [
    ...(await readDeletionVector(store, vector)),
  ];

  it.each(stores)("share one file in %s", async (_, newStore) => {
    const store = newStore();
    const vectors = await writeDeletionVectors(store, sets);
    expect(await store.list("")).toHaveLength(1);
    expect(vectors.map((vector) => vector.offset)).toEqual([1, 47, 96, 138]);
    for (const [i, vector] of vectors.entries()) {
      expect(deletionVectorSchema.parse(JSON.parse(JSON.stringify(vector)))).toEqual(vector);
      expect(await read(store, vector)).toEqual([...(sets[i] ?? [])]);
    }
    expect(await writeDeletionVectors(store, [])).toEqual([]);
    expect(await store.list("")).toHaveLength(1);
  });

  it("may be inline", async () => {
    const store = new MemoryStore();
    const vectors = await writeDeletionVectors(store, sets, { inlineBytes: 41 });
    expect(vectors.map(({ storageType }) => storageType)).toEqual(["i", "i", "i", "u"]);
    for (const [i, vector] of vectors.entries())
      expect(await read(store, vector)).toEqual([...(sets[i] ?? [])]);
    // As other engines wrote them; the second has a last group that is cut instead of filled up.
    const inline = {
      storageType: "i" as const,
      pathOrInlineDv: "^Bg9^0rr910000000000iXQKl0rr91000935c8Xg000311onP9",
    };
    expect(await read(store, { ...inline, sizeInBytes: 40, cardinality: 4 })).toEqual([0, 1, 4, 5]);
    const cut = { ...inline, pathOrInlineDv: "^Bg9^0rr910000000000iXQKl0rr91000005c8Xg##093" };
    expect(await read(store, { ...cut, sizeInBytes: 34, cardinality: 1 })).toEqual([3]);
    expect(await read(store, { ...inline, pathOrInlineDv: "", sizeInBytes: 0, cardinality: 0 })).toEqual([]);
    for (const lie of [{ sizeInBytes: 41 }, { sizeInBytes: 36 }, { cardinality: 5 }]) {
      await expect(read(store, { ...inline, sizeInBytes: 40, cardinality: 4, ...lie })).rejects.toMatchObject(
        BAD,
      );
    }
  });

  it("are refused when the file or the log is damaged", async () => {
    const store = new MemoryStore();
    const [vector] = await writeDeletionVectors(store, sets.slice(0, 1));
    if (vector === undefined) throw new Error("nothing was written");
    const path = relativePath(vector);
    const bytes = Buffer.from((await store.get(path)) ?? []);
    for (const lie of [
      { sizeInBytes: 37 },
      { sizeInBytes: 2 ** 50 },
      { offset: 2 },
      { offset: undefined },
      { cardinality: 4 },
    ]) {
      await expect(read(store, { ...vector, ...lie })).rejects.toMatchObject(BAD);
    }
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await store.put(path, damaged);
      await expect(read(store, vector)).rejects.toMatchObject(BAD);
    }
    await store.put(path, bytes.subarray(0, -1));
    await expect(read(store, vector)).rejects.toMatchObject(BAD);
    await store.delete(path);
    await expect(read(store, vector)).rejects.toMatchObject({ code: "DELTA_MISSING_FILE", value: path });
  });

  it("may have absolute paths", async () => {
    const memory = new MemoryStore();
    const [vector] = await writeDeletionVectors(memory, sets.slice(0, 1));
    if (vector === undefined) throw new Error("nothing was written");
    const bytes = (await memory.get(relativePath(vector))) ?? new Uint8Array();
    const elsewhere = `${folder.path}/else where`;
    mkdirSync(elsewhere);
    writeFileSync(`${elsewhere}/50%.bin`, bytes);
    const at = (pathOrInlineDv: string): DeletionVector => ({ ...vector, storageType: "p", pathOrInlineDv });
    const address = `${folder.path}/else%20where/50%25.bin`;
    for (const prefix of ["file:", "file://", ""]) {
      expect(await read(memory, at(`${prefix}${address}`))).toEqual([3, 4, 7]);
      expect(await read(new LocalStore(folder.path), at(`${prefix}${address}`))).toEqual([3, 4, 7]);
    }
    const bucket = new Proxy(memory, {
      get: (target, name) => (name === "root" ? "s3://bucket/table" : Reflect.get(target, name)),
    });
    await bucket.put("deep er/a.bin", bytes);
    expect(await read(bucket, at("s3://bucket/table/deep%20er/a.bin"))).toEqual([3, 4, 7]);
    expect(await read(bucket, at("s3a://bucket/table/deep%20er/a.bin"))).toEqual([3, 4, 7]);
    for (const foreign of [
      "s3://bucket/tables/a.bin",
      "s3://bucket/table/../a.bin",
      "abfs://x/a.bin",
      "a.bin",
    ]) {
      await expect(read(bucket, at(foreign))).rejects.toMatchObject({
        code: "DELTA_FOREIGN_FILE",
        value: foreign,
      });
    }
  });
});

describe("deleted rows in DuckDB", async () => {
  const duckdb = await useDuckDb();
  const file = `${folder.path}/rows' file.parquet`;
  const source = () => `read_parquet(${literal(file)})`;
  const sets = new Map([
    [0, RowSet.of(range(0, 100_000).map((i) => 3 * i))],
    [7, RowSet.of(range(70_000, 140_000))],
    [2, RowSet.of([5, 2 ** 32 + 1, 2 ** 53 - 1])],
  ]);

  it("are a file of numbers and rows, and come back", async () => {
    await writeRowsFile(
      file,
      [...sets].map(([index, rows]) => ({ index, rows })),
    );
    expect(
      await duckdb.rows(
        `SELECT file, count(*) AS n, max(row) AS last FROM ${source()} GROUP BY file ORDER BY file`,
      ),
    ).toEqual([
      { file: 0, n: 100_000n, last: 299_997n },
      { file: 2, n: 3n, last: 2n ** 53n - 1n },
      { file: 7, n: 70_000n, last: 139_999n },
    ]);
    const types = await duckdb.rows(`DESCRIBE SELECT * FROM ${source()}`);
    expect(types.map((row) => row.column_type)).toEqual(["INTEGER", "BIGINT"]);
    const connection = await (await DuckDBInstance.create()).connect();
    const read = (sql: string) => streamNumbers(connection, sql).then(collectRows);
    const found = await read(`SELECT file, row FROM ${source()} ORDER BY hash(row)`);
    expect([...found.keys()].sort()).toEqual([0, 2, 7]);
    for (const [index, rows] of found) expect(sets.get(index)?.equals(rows)).toBe(true);
    expect(await read(`SELECT file, row FROM ${source()} WHERE false`)).toEqual(new Map());
    await expect(read("SELECT 1, NULL")).rejects.toThrow(RangeError);
    connection.disconnectSync();
  });

  it("may be none", async () => {
    await writeRowsFile(file, []);
    expect(await duckdb.rows(`SELECT file, row FROM ${source()}`)).toEqual([]);
  });

  it("fail with the error of what gives them", async () => {
    const failure = new Error("the source broke");
    function* broken() {
      yield [Float64Array.of(1)];
      throw failure;
    }
    await expect(writeNumberFile(file, [{ name: "n", type: "BIGINT" }], broken())).rejects.toBe(failure);
    await expect(
      writeNumberFile(`${folder.path}/no/such/x`, [{ name: "n", type: "BIGINT" }], []),
    ).rejects.toMatchObject({ code: "ENOENT" });
  });
});
