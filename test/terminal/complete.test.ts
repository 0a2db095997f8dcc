import { describe, expect, test } from "vitest";
import { complete } from "../../jobs/terminal/complete.ts";

const tables = [
  {
    name: "silver.orders",
    columns: [
      { name: "order_id", type: "BIGINT" },
      { name: "placed at", type: "TIMESTAMP" },
    ],
  },
  { name: "silver.customers", columns: [{ name: "customer_id", type: "BIGINT" }] },
];

describe("completion", () => {
  test.each([
    ["sel", "", ["select"], "sel"],
    ["SEL", "", ["SELECT"], "SEL"],
    ["select * from ", "", ["silver.orders", "silver.customers"], ""],
    ["select * from silver.or", "", ["silver.orders"], "silver.or"],
    ["select orders.or", "", ["orders.order_id"], "orders.or"],
    ["where ord", "select * from silver.orders", ["order_id", "order"], "ord"],
    ["where customer_", "select * from silver.orders", [], "customer_"],
    ["select orders.pl", "", [], "orders.pl"],
    [".t", "", [".tables", ".timeout"], ".t"],
    [".mode j", "", ["json", "jsonl"], "j"],
    [".schema silver.c", "", ["silver.customers"], "silver.c"],
    [".5", "select", [], ".5"],
    ["from silver.orders a", "", ["as", "and", "all", "asc", "avg", "analyze", "at"], "a"],
    [".ti", "", [".timeout"], ".ti"],
  ])("%s", (line, before, found, word) => expect(complete(line, before, tables)).toEqual([found, word]));

  test("a name that needs quotes gets them", () => {
    const odd = [
      {
        name: "bronze.t",
        columns: [
          { name: "order", type: "BIGINT" },
          { name: 'a"b', type: "DATE" },
        ],
      },
    ];
    expect(complete("select t.", "", odd)[0]).toEqual(['t."order"', 't."a""b"']);
    expect(complete("select orders.", "", tables)[0]).toContain('orders."placed at"');
  });
});
