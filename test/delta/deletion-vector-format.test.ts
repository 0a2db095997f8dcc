import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32 } from "../../lakehouse/delta/deletion-vector/crc32.ts";
import { parseRoaring } from "../../lakehouse/delta/deletion-vector/roaring.ts";
import { RowSet } from "../../lakehouse/delta/deletion-vector/row-set.ts";
import { serializeRoaring } from "../../lakehouse/delta/deletion-vector/serialize.ts";
import { isReadOrRefused, patterns, range } from "../support/row-patterns.ts";

const refused = (bytes: Uint8Array) =>
  expect(() => parseRoaring(bytes)).toThrow(expect.objectContaining({ code: "DELTA_BAD_DELETION_VECTOR" }));
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("a set of rows", () => {
  it("does as a plain set does", () => {
    fc.assert(
      fc.property(fc.array(patterns, { maxLength: 6 }), (batches) => {
        const expected = new Set<number>();
        const rows = new RowSet();
        for (const batch of batches) {
          rows.addAll(batch);
          for (const row of batch) expected.add(row);
        }
        const sorted = [...expected].sort((a, b) => a - b);
        expect(rows.cardinality).toBe(sorted.length);
        expect([...rows]).toEqual(sorted);
        for (const row of sorted.slice(0, 300)) {
          expect([rows.has(row), rows.has(row + 1)]).toEqual([true, expected.has(row + 1)]);
        }
        expect(rows.equals(RowSet.of([...sorted].reverse()))).toBe(true);
        expect(rows.equals(RowSet.of([...sorted, 2 ** 40]))).toBe(expected.has(2 ** 40));
      }),
    );
  });

  it("unites with another in place, whichever forms both have", () => {
    fc.assert(
      fc.property(patterns, patterns, fc.boolean(), fc.boolean(), (a, b, isReadA, isReadB) => {
        const [one, other] = [
          isReadA ? parseRoaring(serializeRoaring(RowSet.of(a))) : RowSet.of(a),
          isReadB ? parseRoaring(serializeRoaring(RowSet.of(b))) : RowSet.of(b),
        ];
        one.union(other);
        expect(one.equals(RowSet.of([...a, ...b]))).toBe(true);
        one.addAll([...b].map((row) => row + 3));
        expect(other.equals(RowSet.of(b))).toBe(true);
      }),
    );
  });

  it("takes bigints and typed arrays", () => {
    const rows = RowSet.of(BigUint64Array.of(5n, 2n ** 33n));
    rows.addAll(Float64Array.of(7, 5));
    expect([...rows]).toEqual([5, 7, 2 ** 33]);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53])("does not take %d", (row) => {
    expect(() => new RowSet().add(row)).toThrow(RangeError);
  });
});

describe("the serialised form", () => {
  // Bytes of CRoaring's 64-bit bitmaps, run-optimised, behind the magic number.
  it.each([
    [
      "a list",
      [3, 4, 7, 11, 18, 29],
      "d1d33964 0100000000000000 00000000 3a300000 01000000 0000 0500 10000000 0300 0400 0700 0b00 1200 1d00",
    ],
    ["a run", range(100, 1100), "d1d33964 0100000000000000 00000000 3b300000 01 0000 e703 0100 6400 e703"],
    [
      "lists and a run, with offsets",
      [1, 5, 9, ...range(65_536, 131_072), 196_608, 196_610, 196_612, 327_687],
      "d1d33964 0100000000000000 00000000 3b300300 02 0000 0200 0100 ffff 0300 0200 0500 0000 25000000 2b000000 31000000 37000000 0100 0500 0900 0100 0000 ffff 0000 0200 0400 0700",
    ],
    [
      "keys beyond 2^32",
      [0, 2 ** 32 + 5, 2 ** 33 + 70_000],
      "d1d33964 0300000000000000 00000000 3a300000 01000000 0000 0000 10000000 0000 01000000 3a300000 01000000 0000 0000 10000000 0500 02000000 3a300000 01000000 0100 0000 10000000 7011",
    ],
    ["nothing", [], "d1d33964 0000000000000000"],
  ])("is what other libraries write: %s", (_, rows, bytes) => {
    expect([...parseRoaring(hex(bytes))]).toEqual(rows);
    expect(Buffer.from(serializeRoaring(RowSet.of(rows))).toString("hex")).toBe(hex(bytes).toString("hex"));
  });

  it("holds a bitmap as other libraries write it", () => {
    const bytes = serializeRoaring(RowSet.of(range(0, 5000).map((i) => 2 * i)));
    expect([bytes.length, crc32(bytes)]).toEqual([8224, 2_362_388_791]);
  });

  it("gives back every set", () => {
    fc.assert(
      fc.property(patterns, patterns, (a, b) => {
        const rows = RowSet.of([...a, ...b]);
        const read = parseRoaring(serializeRoaring(rows));
        expect(read.equals(rows) && read.cardinality === rows.cardinality).toBe(true);
        for (const row of a.slice(0, 300))
          expect([row, row + 1].map((r) => read.has(r))).toEqual([true, rows.has(row + 1)]);
        expect(serializeRoaring(read)).toEqual(serializeRoaring(rows));
      }),
    );
  });

  it("may be the older one, with buckets in order and their lengths", () => {
    const bitmap = "3a300000 01000000 0000 0100 10000000 0200 0900";
    const bytes = hex(`d0d33964 02000000 14000000 ${bitmap} 14000000 ${bitmap}`);
    expect([...parseRoaring(bytes)]).toEqual([2, 9, 2 ** 32 + 2, 2 ** 32 + 9]);
    refused(hex(`d0d33964 01000000 15000000 ${bitmap} 00`));
    refused(hex("d0d33964 ffffffff"));
  });

  it("is refused when damaged, and never runs away", () => {
    const rows = RowSet.of([
      1,
      5,
      ...range(65_536, 131_072),
      ...range(2 ** 32, 2 ** 32 + 5000).map((i) => 2 * i),
    ]);
    const bytes = serializeRoaring(rows);
    for (let end = 0; end < 100; end++) refused(bytes.subarray(0, end));
    refused(bytes.subarray(0, -1));
    refused(Buffer.concat([bytes, Buffer.alloc(1)]));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = bytes.slice();
        for (const [at, byte] of changes) damaged[at] = byte;
        expect(isReadOrRefused(() => parseRoaring(damaged))).toBe(true);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => {
        expect(isReadOrRefused(() => parseRoaring(Buffer.concat([hex("d1d33964"), tail])))).toBe(true);
      }),
    );
  });

  it.each([
    ["too many buckets", "d1d33964 ffffffff 00000000"],
    ["buckets beyond 2^32", "d1d33964 00000000 01000000"],
    ["a key that no number can hold", "d1d33964 0100000000000000 00002000 3a300000 00000000"],
    ["a key twice", "d1d33964 0200000000000000 00000000 3a300000 00000000 00000000 3a300000 00000000"],
    ["an unknown cookie", "d1d33964 0100000000000000 00000000 3c300000 00000000"],
    ["too many containers", "d1d33964 0100000000000000 00000000 3a300000 01000100"],
    [
      "values out of order",
      "d1d33964 0100000000000000 00000000 3a300000 01000000 0000 0100 10000000 0900 0200",
    ],
    [
      "runs that overlap",
      "d1d33964 0100000000000000 00000000 3b300000 01 0000 0500 0200 0000 0200 0200 0200",
    ],
    [
      "a run that leaves its container",
      "d1d33964 0100000000000000 00000000 3b300000 01 0000 0100 0100 ffff 0100",
    ],
    ["fewer rows than claimed", "d1d33964 0100000000000000 00000000 3b300000 01 0000 0500 0100 0000 0200"],
    ["another magic number", "d2d33964 0000000000000000"],
  ])("is refused: %s", (_, bytes) => refused(hex(bytes)));
});
