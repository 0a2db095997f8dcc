import { expect, it } from "vitest";
import type { Model } from "../../layers/models/planned-model.ts";
import { selectModels } from "../../layers/models/select.ts";

const model = (name: string, ...references: string[]) =>
  ({ name, layer: name.split(".")[0], references }) as unknown as Model;
const models = [
  model("silver.orders", "bronze.orders"),
  model("silver.users", "bronze.users"),
  model("gold.daily", "silver.orders"),
  model("gold.people", "silver.users", "silver.orders"),
  model("gold.figure", "gold.daily"),
];
const names = (...selectors: string[]) => selectModels(models, selectors).map(({ name }) => name);

it.each([
  [["gold.daily"], ["gold.daily"]],
  [["silver.*"], ["silver.orders", "silver.users"]],
  [["+gold.figure"], ["silver.orders", "gold.daily", "gold.figure"]],
  [["silver.users+"], ["silver.users", "gold.people"]],
  [["+gold.daily+"], ["silver.orders", "gold.daily", "gold.figure"]],
  [
    ["gold.figure", "silver.users"],
    ["silver.users", "gold.figure"],
  ],
  [[], []],
])("%j selects %j", (selectors, wanted) => {
  expect(names(...selectors)).toEqual(wanted);
});

it.each(["gold.nothing", "bronze.orders", "orders", "gold.da*", ""])("refuses %j", (selector) => {
  expect(() => names(selector)).toThrow(expect.objectContaining({ code: "MODEL_SELECT", value: selector }));
});
