/** What a contract may say, and what it is refused for. */
import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  type AnyContract,
  array,
  type Columns,
  date,
  decimal,
  defineTable,
  integer,
  json,
  jsonSchemaOf,
  long,
  oneOf,
  type RowOf,
  referencesOf,
  struct,
  text,
  timestamp,
} from "../../schemas/index.ts";

const table = (columns: Columns, more: object = {}) =>
  defineTable({ name: "things", description: "Things.", columns, ...more } as never);

const items = defineTable({
  name: "items",
  description: "Things that are sold.",
  key: ["id"],
  unique: [["kind", "price"]],
  columns: {
    id: long().describe("given by the shop"),
    kind: oneOf("a", "b").default("a"),
    email: text()
      .check(() => z.email())
      .unique()
      .sensitive("hash"),
    price: decimal(6, 2).min("0").max("100").nullable(),
    day: date().min("2020-01-01"),
    tags: array(text().nullable()).check((list) => list.max(2)),
    place: struct({ city: text(), at: timestamp().nullable() }).nullable(),
    note: json(),
  },
  checks: { cheap: { sql: "price < 50", message: "too dear" } },
  freshness: { column: "day", within: 60 },
  partitionBy: ["kind"],
});
type Item = RowOf<(typeof items)["columns"]>;
const item: Item = {
  id: 1n,
  kind: "b",
  email: "a@b.co",
  price: "1.50",
  day: "2024-02-29",
  tags: ["x", null],
  place: { city: "Ulm", at: null },
  note: "{}",
};

describe("a contract", () => {
  test("gives rows their types and zod its checks", () => {
    expectTypeOf<Item["kind"]>().toEqualTypeOf<"a" | "b">();
    expectTypeOf<Item["price"]>().toEqualTypeOf<string | null>();
    expectTypeOf<Item["tags"]>().toEqualTypeOf<(string | null)[]>();
    expectTypeOf<Item["place"]>().toEqualTypeOf<{ city: string; at: Date | null } | null>();
    expect(items.row.safeParse(item).success).toBe(true);
    const broken: Partial<Record<keyof Item, unknown>>[] = [
      { kind: "c" },
      { email: "a" },
      { price: "-0.01" },
      { price: "100.01" },
      { price: "1.234" },
      { price: "12345.00" },
      { day: "2019-12-31" },
      { day: "2023-02-29" },
      { tags: ["a", "b", "c"] },
      { place: { city: null, at: null } },
      { note: "{" },
      { id: null },
      { id: 2n ** 63n },
    ];
    for (const change of broken) {
      expect([change, items.row.safeParse({ ...item, ...change }).success]).toEqual([change, false]);
    }
  });

  test("compares decimals as numbers, digit by digit", () => {
    const { row } = table({ n: decimal(38, 2).gt("-0.10").lt("99999999999999999999999999.01") });
    const keeps = (n: string) => row.safeParse({ n }).success;
    expect(["-0.1", "-0.10", "-0.2"].map(keeps)).toEqual([false, false, false]);
    expect(["-0.09", "0", "-0", "9", "99999999999999999999999999"].map(keeps)).toEqual(Array(5).fill(true));
    expect(["99999999999999999999999999.01", "1e3", "", "1."].map(keeps)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  test("keeps what it says of its columns, in any order of saying it", () => {
    const column = text().nullable().unique().describe("d").sensitive("mask").default("x").nullable();
    expect(column).toMatchObject({
      isNullable: true,
      isUnique: true,
      description: "d",
      sensitivity: "mask",
      defaultValue: "x",
      type: "string",
    });
    expect(decimal(4, 1).describe("d").nullable().min("1").max("2")).toMatchObject({
      description: "d",
      isNullable: true,
    });
    expect(items.unique).toEqual([["email"], ["kind", "price"]]);
    expect(items.columns.tags.type).toEqual({ type: "array", elementType: "string", containsNull: true });
  });

  test("is a JSON Schema too", () => {
    const schema = jsonSchemaOf(items);
    expect(schema).toMatchObject({
      title: "items",
      type: "object",
      properties: {
        id: { type: "integer", description: "given by the shop" },
        kind: { enum: ["a", "b"], default: "a" },
        email: { format: "email" },
        price: { anyOf: [{ type: "string", pattern: "^-?\\d{1,4}(?:\\.\\d{1,2})?$" }, { type: "null" }] },
        place: {
          anyOf: [{ properties: { at: { anyOf: [{ type: "string", format: "date-time" }, {}] } } }, {}],
        },
        note: { type: "string", contentMediaType: "application/json" },
      },
    });
    expect(jsonSchemaOf(table({ n: long().check((n) => n.min(1n)) })).properties?.n).toMatchObject({
      minimum: 1,
    });
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  });
});

describe("a definition is refused", () => {
  const cases: [why: string, make: () => unknown, message: RegExp][] = [
    ["key", () => table({ a: text() }, { key: ["b"] }), /contract things: key column "b" does not exist/],
    [
      "nullable key",
      () => table({ a: text().nullable() }, { key: ["a"] }),
      /key column "a" may not be nullable/,
    ],
    ["unique", () => table({ a: text() }, { unique: [["a", "b"]] }), /unique column "b" does not exist/],
    ["unique of nothing", () => table({ a: text() }, { unique: [[]] }), /unique set of columns is empty/],
    ["partition", () => table({ a: text() }, { partitionBy: ["b"] }), /partition column "b" does not exist/],
    [
      "nested partition",
      () => table({ a: array(text()) }, { partitionBy: ["a"] }),
      /cannot partition by "a"/,
    ],
    [
      "freshness",
      () => table({ a: text() }, { freshness: { column: "b", within: 1 } }),
      /freshness column "b"/,
    ],
    [
      "freshness of text",
      () => table({ a: text() }, { freshness: { column: "a", within: 1 } }),
      /timestamp or a date/,
    ],
    [
      "no time",
      () => table({ a: date() }, { freshness: { column: "a", within: 0 } }),
      /number of minutes above 0/,
    ],
    ["no columns", () => table({}), /needs columns/],
    [
      "check's name",
      () => table({ a: text() }, { checks: { "a.b": { sql: "true" } } }),
      /check "a.b": a name is/,
    ],
    ["empty check", () => table({ a: text() }, { checks: { a: { sql: " " } } }), /check "a" has no SQL/],
    ["precision", () => decimal(39, 2), /precision must be 1 to 38/],
    ["scale", () => decimal(3, 4), /scale must be 0 to the precision, 3/],
    ["bound", () => decimal(4, 2).min("0.005"), /a bound .* must be a value of it: "0.005"/],
    ["day", () => date().max("2023-02-29"), /must be a value of it: "2023-02-29"/],
    [
      "default",
      () =>
        table({
          a: text()
            .default("")
            .check((s) => s.min(1)),
        }),
      /the default of column "a" breaks its own check/,
    ],
    [
      "trim",
      () => table({ a: text().check((s) => s.trim()) }),
      /column "a" uses trim\(\): .* the model's SQL/,
    ],
    ["lower", () => table({ a: text().check((s) => s.toLowerCase()) }), /uses toLowerCase\(\)/],
    ["upper", () => table({ a: text().check((s) => s.toUpperCase()) }), /uses toUpperCase\(\)/],
    ["normalize", () => table({ a: text().check((s) => s.normalize()) }), /uses normalize\(\)/],
    [
      "transform",
      () => table({ a: text().check((s) => s.transform((t) => `${t}!`)) }),
      /uses a pipe, codec or preprocess/,
    ],
    ["coercion", () => table({ a: text().check(() => z.coerce.string()) }), /uses coercion/],
    ["catch", () => table({ a: text().check((s) => s.catch("a")) }), /uses zod's catch\(\)/],
    [
      "zod's default",
      () => table({ a: text().check((s) => s.default("a")) }),
      /say \.default\(value\) on the column/,
    ],
    [
      "optional",
      () => table({ a: text().check((s) => s.optional() as never) }),
      /say \.nullable\(\) on the column/,
    ],
    [
      "zod's nullable",
      () => table({ a: text().check((s) => s.nullable() as never) }),
      /say \.nullable\(\) on the column/,
    ],
    ["null", () => table({ a: text().check(() => z.any() as never) }), /a schema that takes null/],
    ["nested trim", () => table({ a: array(text().check((s) => s.trim())) }), /column "a" uses trim\(\)/],
  ];
  test.each(cases)("%s", (_why, make, message) => {
    expect(make).toThrow(message);
  });

  test("with its name and code", () => {
    expect(() => table({ a: text() }, { key: ["b"] })).toThrow(
      expect.objectContaining({ name: "ContractError", code: "CONTRACT_DEFINITION" }),
    );
  });
});

test("references are looked up when all contracts are there", () => {
  const parents = defineTable({
    name: "parents",
    description: "Of children.",
    key: ["id"],
    columns: {
      id: long(),
      code: text().unique(),
      name: text(),
      parent: long()
        .references((): AnyContract => parents, "id")
        .nullable(),
    },
  });
  expect(referencesOf(parents)).toEqual([{ column: "parent", contract: "parents", target: "id" }]);
  const refer = (column: Columns[string]) => () => referencesOf(table({ other: column }));
  expect(refer(text().references(() => parents, "code"))()).toHaveLength(1);
  expect(refer(long().references((): AnyContract => parents, "nothing"))).toThrow(
    /contract things: column "other" refers to parents.nothing, which does not exist/,
  );
  expect(refer(integer().references(() => parents, "id"))).toThrow(/of type "long", not "integer"/);
  expect(refer(text().references(() => parents, "name"))).toThrow(/neither the key nor unique/);
});
