import { runModelTest } from "ingot";
import { describe, expect, it } from "vitest";
import { useDuckDb } from "../../test/support/duckdb.ts";
import { commerce } from "./pipeline.ts";
import { tests } from "./tests.ts";

const duckdb = await useDuckDb();

describe.each(tests.map((test) => [test.model, test] as const))("%s", (_model, test) => {
  it(test.name, async () => {
    expect(await runModelTest(duckdb, commerce, test)).toBeUndefined();
  });
});

it("tests every model of gold", () => {
  const tested = new Set(tests.map(({ model }) => model));
  expect(Object.keys(commerce.gold ?? {}).filter((name) => !tested.has(`gold.${name}`))).toEqual([]);
});
