import fc from "fast-check";
import { expect, it } from "vitest";
import { constantOf, nameTables, slugOf } from "../../jobs/init/names.ts";

const name = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
  fc.constantFrom(
    "orders",
    "Orders",
    "ORDERS",
    "order_2",
    "orders_2",
    "a b",
    "a.b",
    "訂單",
    "class",
    "..",
    "con",
    "2",
  ),
);
const table = fc.record({ schema: fc.constantFrom("public", "sales", "Sales", "orders"), name });

it("every table gets a name of its own that folders, SQL and addresses take", () => {
  fc.assert(
    fc.property(fc.uniqueArray(table, { selector: (t) => JSON.stringify(t), maxLength: 12 }), (tables) => {
      const names = nameTables(tables);
      expect(new Set(names).size).toBe(tables.length);
      for (const each of names) expect(each).toMatch(/^[a-z][a-z0-9_]*$/);
      const taken = new Set<string>();
      for (const each of names) expect(constantOf(each, taken, "Table")).toMatch(/^[a-z][A-Za-z0-9_]*$/);
      expect(taken.size).toBe(tables.length);
    }),
  );
});

it("keeps what can be kept", () => {
  expect(["orders", "OrderItems", "Größe", "Łódź café", "2024", "con", ".."].map(slugOf)).toEqual([
    "orders",
    "orderitems",
    "grosse",
    "lodz_cafe",
    "t_2024",
    "t_con",
    expect.stringMatching(/^t_[0-9a-f]{8}$/),
  ]);
  const tables = ["public.ORDERS", "public.orders", "sales.orders", "hr.people"].map((text) => {
    const [schema = "", table = ""] = text.split(".");
    return { schema, name: table };
  });
  expect(nameTables(tables)).toEqual(["orders_2", "orders", "sales_orders", "people"]);
  expect(constantOf("class", new Set(), "Table")).toBe("classTable");
  expect(constantOf("order_items", new Set(["orderItems"]), "Table")).toBe("orderItems2");
});
