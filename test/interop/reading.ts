import { expect, it } from "vitest";
import type { EngineName } from "../support/engines.ts";
import type { InteropBench } from "./bench.ts";
import { expectSameReading } from "./compare.ts";
import type { Engine } from "./engine.ts";
import { INGOT_TABLES } from "./ingot-tables.ts";
import { IngotWriter } from "./ingot-writer.ts";

/** Tests that an engine reads what Ingot writes. */
export function testReading(
  { duckdb, ingot, newPath }: InteropBench,
  name: EngineName,
  engine: Engine,
): void {
  it.each(INGOT_TABLES)("$name", async ({ make, changesFrom, cannot }) => {
    const path = newPath();
    await make(new IngotWriter(path, duckdb));
    const reading = expectSameReading(path, changesFrom === undefined ? {} : { changesFrom }, engine, ingot);
    const refusal = cannot?.[name];
    if (refusal === undefined) await reading;
    else await expect(reading).rejects.toThrow(refusal.error);
  });
}
