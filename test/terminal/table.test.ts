import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatCell } from "../../jobs/terminal/cell.ts";
import { renderTable } from "../../jobs/terminal/table.ts";
import { widthOf } from "../../jobs/terminal/text.ts";

const plain = { width: 60, color: false };

describe("table", () => {
  test("aligns numbers right, text left, and shows NULL", () => {
    const columns = [
      { name: "city", type: "VARCHAR" },
      { name: "total", type: "DECIMAL(18,2)" },
    ];
    const rows = [
      ["Zürich", "12.50"],
      ["東京", null],
    ];
    expect(renderTable({ columns, rows }, plain)).toBe(
      [
        "┌────────┬───────┐",
        "│ city   │ total │",
        "├────────┼───────┤",
        "│ Zürich │ 12.50 │",
        "│ 東京   │  NULL │",
        "└────────┴───────┘",
      ].join("\n"),
    );
  });

  test("says how many rows and columns it leaves out", () => {
    const rows = Array.from({ length: 10_000 }, (_, i) => [i]);
    const text = renderTable({ columns: [{ name: "n" }], rows }, { ...plain, maxRows: 20 });
    expect(text.split("\n").at(-1)).toBe("… 9,980 more rows");
    const wide = { columns: Array.from({ length: 30 }, (_, i) => ({ name: `column_${i}` })), rows: [] };
    const lines = renderTable(wide, plain).split("\n");
    expect(lines[1]).toMatch(/^│ column_0 │ column_1 .*│ … │.* column_29? *│$|^│ column_0 .*│ … │.*│$/);
    expect(lines.at(-1)).toMatch(/^… \d+ more columns$/);
  });

  test("text gives way before numbers and times", () => {
    const columns = [
      { name: "n", type: "BIGINT" },
      { name: "text", type: "VARCHAR" },
      { name: "at", type: "TIMESTAMP" },
    ];
    const text = renderTable(
      { columns, rows: [[10n ** 17n, "x".repeat(90), "2026-05-01T10:00:00.25"]] },
      plain,
    );
    expect(text).toContain(
      "│ 100000000000000000 │ xxxxxxx… │ 2026-05-01T10:00:00.25 │".replace("xxxxxxx…", "xxxxxxxxx…"),
    );
  });

  test("a truncated result does not pretend to know the count", () => {
    const table = { columns: [{ name: "n" }], rows: [[1]] };
    expect(renderTable(table, { ...plain, truncated: true })).toContain("… more rows");
  });

  test("colours the header and NULL only", () => {
    const text = renderTable({ columns: [{ name: "a" }], rows: [[null]] }, { width: 40, color: true });
    expect(text).toContain("\u001b[1ma\u001b[22m");
    expect(text).toContain("\u001b[2mNULL\u001b[22m");
  });

  test("no line is wider than the terminal, and all lines of the box are of one width", () => {
    const value = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.string({ unit: "grapheme", maxLength: 60 }),
      fc.constantFrom(
        "👩‍👩‍👧‍👦 family",
        "日本語テキスト",
        "\u001b[31mred\u001b[0m",
        "e\u0301a\u0300",
        "🇨🇭🇨",
        "\ud800",
        "\u{11a84}",
        "a\tb\nc",
      ),
      fc.bigInt(),
      fc.double(),
      fc.constant(null),
      fc.date({ noInvalidDate: false }),
      fc.uint8Array({ maxLength: 40 }),
      fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }),
    );
    const table = fc.integer({ min: 0, max: 14 }).chain((count) =>
      fc.record({
        columns: fc.array(fc.record({ name: fc.string({ unit: "binary", maxLength: 20 }) }), {
          minLength: count,
          maxLength: count,
        }),
        rows: fc.array(fc.array(value, { minLength: count, maxLength: count }), { maxLength: 6 }),
      }),
    );
    fc.assert(
      fc.property(table, fc.integer({ min: 1, max: 120 }), fc.boolean(), (input, width, color) => {
        const lines = renderTable(input, { width, color, maxRows: 4 }).split("\n");
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
        const box = lines.filter((line) => /[│┌├└]/.test(line)).map(widthOf);
        expect(new Set(box).size).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });
});

describe("cells", () => {
  test.each([
    [9_007_199_254_740_993n, "", "9007199254740993"],
    ["12345678901234567890.10", "DECIMAL(38,2)", "12345678901234567890.10"],
    [new Date("2024-05-01T10:00:00.000Z"), "", "2024-05-01T10:00:00Z"],
    [new Date("2024-05-01T10:00:00.120Z"), "", "2024-05-01T10:00:00.12Z"],
    ["2024-05-01T10:00:00.500000Z", "TIMESTAMP WITH TIME ZONE", "2024-05-01T10:00:00.5Z"],
    ["2024-05-01T10:00:00.000000", "TIMESTAMP", "2024-05-01T10:00:00"],
    ["10:00:00.000000", "VARCHAR", "10:00:00.000000"],
    [{ micros: 1_714_557_600_000_001n }, "TIMESTAMP", "2024-05-01T10:00:00.000001"],
    [{ a: 1n, b: [null, "x"] }, "STRUCT(a BIGINT, b VARCHAR[])", '{"a":1,"b":[null,"x"]}'],
    [new Uint8Array([222, 173]), "BLOB", "\\xdead"],
    [true, "BOOLEAN", "true"],
    ["a\u001b[31mb\nc", "", "a\\u{1b}[31mb\\nc"],
  ])("%s of %s is %s", (value, type, text) => expect(formatCell(value, type)).toBe(text));

  test("long bytes say how many they are", () =>
    expect(formatCell(new Uint8Array(1200))).toBe(`\\x${"00".repeat(16)}… (1.2 kB)`));
});
