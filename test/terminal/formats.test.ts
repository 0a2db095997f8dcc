import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createWriter,
  csvWriter,
  type FormatColumn,
  type OutputFormat,
  uniqueNames,
} from "../../jobs/terminal/formats.ts";

function written(
  format: OutputFormat,
  columns: readonly FormatColumn[],
  rows: readonly (readonly unknown[])[],
): string {
  const writer = createWriter(format, columns);
  return writer.head() + rows.map((row) => writer.row(row)).join("") + writer.tail();
}

/** A reader of RFC 4180, written apart from the writer: null where a field is empty and bare. */
function parseCsv(text: string): (string | null)[][] {
  const records: (string | null)[][] = [[]];
  for (const [whole, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\n)/g)) {
    if (whole === undefined) continue;
    records.at(-1)?.push(quoted !== undefined ? quoted.replaceAll('""', '"') : bare || null);
    if (end === "\n") records.push([]);
  }
  return records.slice(0, -1);
}

const ROW = 3;
const columns = [{ name: "a" }, { name: "b" }, { name: "c" }];
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("", '"', ",", "\r\n", " x ", 'a"b', "\n"),
);

describe("CSV", () => {
  test("round trip of texts and nulls", () => {
    const row = fc.array(fc.option(text), { minLength: ROW, maxLength: ROW });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 8 }), (rows) => {
        expect(parseCsv(written("csv", columns, rows))).toEqual([["a", "b", "c"], ...rows]);
      }),
      { numRuns: 300 },
    );
  });

  test("keeps NULL and the empty string apart, quotes only where needed, ends records with CRLF", () => {
    expect(
      written("csv", columns, [
        [null, "", "x"],
        ['say "hi"', "a,b", 1.5],
      ]),
    ).toBe('a,b,c\n,"",x\n"say ""hi""","a,b",1.5\n');
  });

  test("values of all types without loss", () => {
    const typed = [
      { name: "n", type: "HUGEINT" },
      { name: "d", type: "DECIMAL(38,2)" },
      { name: "t", type: "TIMESTAMP" },
      { name: "z", type: "TIMESTAMP WITH TIME ZONE" },
      { name: "when" },
      { name: "bytes", type: "BLOB" },
      { name: "s", type: "STRUCT(micros BIGINT)" },
      { name: "f" },
    ];
    const micros = 1_714_557_600_000_001n;
    const row = [
      170_141_183_460_469_231_731_687_303_715_884_105_727n,
      "12345678901234567890123456789012345.67",
      { micros },
      { micros: -1n },
      new Date("2024-05-01T10:00:00.12Z"),
      new Uint8Array([0, 255]),
      { micros },
      Number.NaN,
    ];
    expect(csvWriter(typed).row(row)).toBe(
      "170141183460469231731687303715884105727,12345678901234567890123456789012345.67," +
        "2024-05-01T10:00:00.000001,1969-12-31T23:59:59.999999Z,2024-05-01T10:00:00.120000Z,\\x00ff," +
        '"{""micros"":1714557600000001}",NaN\n',
    );
  });
});

describe("JSON", () => {
  test("round trip of what JSON knows, as array and as lines", () => {
    const value = fc.oneof(
      text,
      fc.jsonValue(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constant(-0),
    );
    const names = fc.uniqueArray(fc.string({ unit: "binary" }), { minLength: ROW, maxLength: ROW });
    const rows = fc.array(fc.array(value, { minLength: ROW, maxLength: ROW }), { maxLength: 6 });
    fc.assert(
      fc.property(names, rows, (given, input) => {
        const named = given.map((name) => ({ name }));
        const expected = input.map((row) => row);
        const inOrder = (object: Record<string, unknown>) => given.map((name) => object[name]);
        const array: Record<string, unknown>[] = JSON.parse(written("json", named, input));
        expect(array.map(inOrder)).toEqual(expected);
        const lines = written("jsonl", named, input).split("\n").slice(0, -1);
        expect(lines.map((line) => inOrder(JSON.parse(line)))).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("integers keep all digits, at any depth", () => {
    fc.assert(
      fc.property(fc.bigInt(), (n) => {
        expect(written("jsonl", [{ name: "n" }], [[n]])).toBe(`{"n":${n}}\n`);
        expect(written("jsonl", [{ name: "n" }], [[{ list: [n] }]])).toBe(`{"n":{"list":[${n}]}}\n`);
      }),
    );
  });

  test("an empty array is valid, rows stand on lines", () => {
    expect(written("json", [{ name: "a" }], [])).toBe("[]\n");
    expect(written("json", [{ name: "a" }], [[1], ["1.10"]])).toBe('[\n{"a":1},\n{"a":"1.10"}\n]\n');
  });

  test("numbers that JSON does not know are strings; maps are objects; undefined is null", () => {
    const row = [Number.POSITIVE_INFINITY, new Map([["k", 1n]]), undefined];
    expect(written("jsonl", columns, [row])).toBe('{"a":"Infinity","b":{"k":1},"c":null}\n');
  });

  test("columns of one name are told apart", () => {
    expect(uniqueNames(["a", "a", "a_2", "a"])).toEqual(["a", "a_3", "a_2", "a_4"]);
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "a_2", "a_3", "b")), (names) => {
        expect(new Set(uniqueNames(names)).size).toBe(names.length);
      }),
    );
  });
});
