import { describe, expect, it } from "vitest";
import { enginesAvailable, useEngine } from "../support/engines.ts";
import { useInterop } from "./bench.ts";
import { expectSameReading } from "./compare.ts";
import { DELTALAKE_TABLES } from "./deltalake-tables.ts";

const { ingot, newPath } = await useInterop();

describe.skipIf(!enginesAvailable)("Ingot reads what delta-rs writes", () => {
  const deltalake = useEngine("deltalake");

  it.each(DELTALAKE_TABLES)("$name", async (table) => {
    const path = newPath();
    for (const { program } of table.make) await deltalake.run(path, program);
    await expectSameReading(path, table, ingot, deltalake);
  });

  it("cannot be asked for negative decimals as partition values: it writes text that is no number", async () => {
    const column = 'pa.array([Decimal("-1.5")], pa.decimal128(12, 3))';
    const program = `from decimal import Decimal
write_deltalake(path, pa.table({"id": [1], "m": ${column}}), partition_by=["m"])`;
    const path = newPath();
    await expect(deltalake.run(path, program)).rejects.toThrow("Failed to parse value '-1.-500'");
  });
});
